"""Every preset names pages of its vendor, and the least scopes of every way to sign in by OAuth."""

from urllib.parse import urlsplit

import pytest

from runner import presets

WITHOUT = {
    "salesforce",
    "segment",
    "sendgrid",
    "sentry",
    "servicenow",
    "shopify",
    "shortcut",
    "snowflake",
    "snyk",
    "sonarcloud",
    "splunk",
    "statuspage",
    "stripe",
    "terraform_cloud",
    "todoist",
    "trello",
    "twilio",
    "typeform",
    "vercel",
    "xero",
    "zoho_crm",
    "zoom",
}
"""Presets of which no page was found yet."""
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
    "typeform oauth2",
    "xero oauth2",
    "zoho_crm oauth2",
    "zoom oauth2",
    "zoom oauth2_authorization_code",
}
"""Ways to sign in by OAuth whose test request needs no scope, whose vendor has none, or of which none was found."""


@pytest.mark.parametrize("name", presets.names())
def test_links_lead_to_the_vendor(name: str) -> None:
    links = presets.load(name).links
    if name in WITHOUT:
        assert not links, f"take {name} out of WITHOUT"
        return
    assert 1 <= len(links) <= 4
    assert len({*links}) == len(links)
    for link in links:
        url = urlsplit(link)
        host = url.hostname or ""
        assert (url.scheme, url.username) == ("https", None), link
        if name in VENDORS:
            assert host.endswith(f".{VENDORS[name]}"), link
        else:
            assert name.replace("_", "") in host.replace("-", "").replace(".", ""), link


def test_ways_by_oauth_name_their_scopes() -> None:
    bare = {
        f"{name} {scheme.name}"
        for name in presets.names()
        for scheme in presets.load(name).schemes.values()
        if scheme.type == "oauth2" and not scheme.scopes
    }
    assert bare == UNSCOPED
