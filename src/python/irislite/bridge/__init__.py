"""What `iop` takes for IRIS: classes, handles, SQL, bound to the genuine package."""
