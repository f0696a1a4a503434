"""Search strategies: each spends a budget of samples and verifications on one problem."""
