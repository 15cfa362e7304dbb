"""The doctor: looks at a site for the traps that cost requests, and says how to mend each."""
