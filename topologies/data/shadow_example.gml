# Three places in the form of Shadow's network graphs; the figures are made up.
graph [
  directed 0
  node [
    id 0
    label "client's access"
    host_bandwidth_up "10 Mbit"
    host_bandwidth_down "50 Mbit"
  ]
  node [
    id 1
    label "edge"
    host_bandwidth_up "100 Mbit"
    host_bandwidth_down "100 Mbit"
  ]
  node [
    id 2
    label "origin"
    host_bandwidth_up "100 Mbit"
    host_bandwidth_down "100 Mbit"
  ]
  edge [
    source 0
    target 0
    latency "5 ms"
    packet_loss 0.0
  ]
  edge [
    source 0
    target 1
    latency "10 ms"
    packet_loss 0.0
  ]
  edge [
    source 1
    target 2
    latency "60 ms"
    jitter "2 ms"
    packet_loss 0.001
  ]
]
