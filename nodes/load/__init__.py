"""A request generator: many requests at given times or by given clients, a record of each, latency from when it was due.

It is not the measured client (that fetches one thing at a time and says when each step happened), and checks no content.
"""
