"""Every preset names pages of its vendor, and the least scopes of every way to sign in by OAuth."""

from urllib.parse import urlsplit

import pytest

from runner import presets

VENDORS = {
    "anthropic": "claude.com",
    "azure_devops": "microsoft.com",
    "bitbucket": "atlassian.com",
    "confluence": "atlassian.com",
    "elasticsearch": "elastic.co",
    "gmail": "google.com",
    "google_calendar": "google.com",
    "google_drive": "google.com",
    "jira": "atlassian.com",
    "microsoft_graph": "microsoft.com",
    "quickbooks": "intuit.com",
    "sendgrid": "twilio.com",
    "sonarcloud": "sonarsource.com",
    "terraform_cloud": "hashicorp.com",
    "trello": "atlassian.com",
    "zoho_crm": "zoho.com",
}
"""Domains of vendors who are not called as their product is."""
UNSCOPED = {
    "airtable oauth2",
    "box oauth2",
    "box oauth2_refresh_token",
    "clickup oauth2",
    "github device",
    "github oauth2",
    "github oauth2_expiring",
    "microsoft_graph oauth2",
    "miro oauth2",
    "notion oauth2",
    "salesforce oauth2",
    "salesforce oauth2_jwt_bearer",
    "salesforce oauth2_refresh_token",
    "servicenow oauth2",
    "shopify oauth2",
    "slack oauth2",
    "slack oauth2_rotating",
    "slack oauth2_user",
}
"""Ways to sign in by OAuth whose test request needs no scope, whose vendor has none, or of which none was found."""


@pytest.mark.parametrize("name", presets.names())
def test_links_lead_to_the_vendor(name: str) -> None:
    links = presets.load(name).links
    assert 1 <= len(links) <= 4
    assert len({*links}) == len(links)
    for link in links:
        url = urlsplit(link)
        host = url.hostname or ""
        assert (url.scheme, url.username) == ("https", None), link
        vendor = f".{VENDORS[name]}" if name in VENDORS else None
        called = name.replace("_", "") in host.replace("-", "").replace(".", "")
        assert called or (vendor and host.endswith(vendor)), link


def test_ways_by_oauth_name_their_scopes() -> None:
    bare = {
        f"{name} {scheme.name}"
        for name in presets.names()
        for scheme in presets.load(name).schemes.values()
        if scheme.type == "oauth2" and not scheme.scopes
    }
    assert bare == UNSCOPED
