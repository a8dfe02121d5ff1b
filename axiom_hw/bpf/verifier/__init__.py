"""The verifier: spec -> Verified, or a Rejection that says why and what to do."""
