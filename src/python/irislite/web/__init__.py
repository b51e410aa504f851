"""The web side of irislite: `iop`'s REST service, the JSON twin of the portal's pages, the portal."""
