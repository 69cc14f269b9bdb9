"""Nothing is said of projects that are right: the examples of this repository, and one that uses everything."""

from pathlib import Path

from runner.check import check
from runner.project import load
from tests.rules.projects import findings

ROOT = Path(__file__).parent.parent.parent


def test_the_examples() -> None:
    project = load(ROOT)
    assert project.connections
    assert project.workflows
    assert check(project) == []


RICH = {
    "runner.yaml": """\
        vars: {site: eu, team: support}
        policy:
          hosts: ["*.example.com", "localhost"]
          deny_methods: [DELETE]
          require_shared: true
          max_attempts: 5
          secrets:
            "*": ["secret/support/*", "secret/eu/*"]
            "workflow:*": ["secret/hooks/*"]
        environments:
          staging:
            vars: {site: eu-staging}
            connections: {desk: {base_url: "https://staging.example.com/api"}}
        """,
    "connections.d/desk.yaml": """\
        type: bearer
        base_url: https://{{ vars.site }}.example.com/api/v2
        shared: true
        auth:
          token: vault://secret/{{ vars.team }}/desk#token
        headers: {X-Api-Version: "2024-01", X-Site: "{{ vars.site }}"}
        query: {locale: en}
        timeout: 20s
        retry: {attempts: 4}
        allow: ["GET *", "POST /tickets/*", "PUT /tickets/*"]
        fail_when: "{{ response.body.ok is defined and not response.body.ok }}"
        error_message: "{{ response.body.error }}"
        test: {path: /me, expect: {that: ["{{ response.body.id }}"]}}
        """,
    "connections.d/desk-us.yaml": """\
        extends: desk
        base_url: https://us.example.com/api/v2
        auth:
          token: vault://secret/support/desk-us#token
        """,
    "connections.d/status.yaml": """\
        type: none
        base_url: http://localhost:9000
        shared: true
        """,
    "workflows.d/sync.yaml": """\
        inputs:
          days: {type: integer, default: 14, minimum: 1}
          mode: {type: string, enum: [full, quick], default: full}
          notify: {type: boolean, default: true}
          labels: {type: array, items: {type: string}, default: []}
          pin: {type: string, secret: true}
        vars: {query: "updated<{{ inputs.days }}days {{ vars.team }}"}
        secrets:
          hook: vault://secret/hooks/chat#key
        defaults: {connection: desk}
        actions:
          - id: search
            request:
              path: /search
              query: {q: "{{ vars.query }}", labels: "{{ inputs.labels }}", limit: "{{ inputs.days * 2 }}"}
            expect:
              status: [200]
              schema:
                type: object
                required: [items]
                properties:
                  items: {type: array, items: {type: object, properties: {id: {}, next: {type: string}}}}
                  total: {type: integer}
                additionalProperties: false
              that: ["{{ response.body.total >= response.body['items'] | length }}"]
          - id: session
            request:
              method: POST
              path: /tickets/session
              json: {pin: "{{ inputs.pin }}"}
            output: "{{ response.body.token }}"
            sensitive: true
          - id: signed
            set:
              signature: "{{ run.id | hmac_sha256(secrets.hook) }}"
              first: "{{ actions.search.output['items'] | first | default(none) }}"
              late: "{{ inputs.days > 7 and inputs.mode == 'full' }}"
          - id: detail
            if: "{{ actions.search.output.total > 0 and inputs.mode == 'full' }}"
            connection: desk-us
            request:
              path: /tickets/{{ actions.signed.output.first.id }}
            on_error: continue
          - id: close
            if: "{{ actions.detail.status == 'succeeded' }}"
            request:
              method: PUT
              path: /tickets/{{ actions.signed.output.first.id }}
              headers: {X-Session: "{{ actions.session.output }}", X-Api-Version: "2025-01"}
              json: {state: "{{ actions.detail.output.state }}", late: "{{ actions.signed.output.late }}"}
            retry: {attempts: 5, on: [429, 502, 503, timeout]}
            timeout: 2m
          - id: note
            if: "{{ inputs.notify }}"
            connection: desk
            request:
              method: POST
              path: /tickets/{{ actions.signed.output.first.id }}/notes
              headers: {Idempotency-Key: "{{ run.id }}"}
              json:
                text: |
                  {% if actions.close.status == 'succeeded' %}
                  Closed: {{ actions.close.output.state }}
                  {% else %}
                  Left open
                  {% endif %}
            idempotent: true
            retry: {attempts: 5}
          - id: status
            connection: status
            request: {path: /, query: {note: "{{ actions.note.output.id if inputs.notify else '' }}"}}
          - id: enough
            if: "{{ actions.search.output.total > 1000 }}"
            fail: "{{ actions.search.output.total }} tickets are too many"
          - id: rest
            wait: 1s
        outputs:
          closed: "{{ actions.close.status == 'succeeded' }}"
          state: "{{ actions.detail.output.state | default('unknown') }}"
          total: "{{ actions.search.output.total }}"
          signature: "{{ actions.signed.output.signature }}"
        on_failure:
          - id: tell
            connection: status
            request: {method: POST, path: /failed, json: {why: "{{ error.message }}", status: "{{ actions.note.status }}"}}
        finally:
          - id: tidy
            if: "{{ actions.session.status == 'succeeded' }}"
            request:
              method: POST
              path: /tickets/logout
              headers: {X-Session: "{{ actions.session.output }}"}
          - id: closed
            set: {at: "{{ actions.close.output.at if actions.close.status == 'succeeded' else none }}"}
        """,
}


def test_a_project_that_uses_everything(tmp_path: Path) -> None:
    assert findings(tmp_path, RICH) == []
    assert findings(tmp_path, RICH, environment="staging") == []
