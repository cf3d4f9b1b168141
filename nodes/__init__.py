"""The daemons that run in hosts, one folder each; each also runs alone, without a lab."""
