# A client: runs tasks. Its ports differ from those of the server, as all run on one machine here.
log_level = "INFO"
data_dir  = "/tmp/orch/client3"
bind_addr = "127.0.0.1"
name      = "client3"

client {
  enabled = true
  servers = ["127.0.0.1:4647"]

  # One client of a machine tells where services are.
  discovery {
    enabled = false
  }
}

ports {
  http = 5643
}
