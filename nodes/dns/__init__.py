"""DNS over sockets, as daemons share it: what is asked and answered is theirs."""
