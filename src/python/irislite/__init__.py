"""irislite: an embedded runtime that hosts `iop` productions without InterSystems IRIS."""
