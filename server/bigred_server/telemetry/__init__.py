"""The witness: sees what users get of an app, and tells the judge, look by look."""
