"""The application API: one FastAPI application over a production, on irislite and on InterSystems IRIS alike.

`api.app:create` is what irislite mounts, `api.wsgi:application` what IRIS serves. Both speak to the production through
`iop`'s Director alone; see docs/api.md.
"""
