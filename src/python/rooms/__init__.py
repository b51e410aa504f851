"""The rooms of the portal that know this application: a module each, named in `ROOMS` of the production."""
