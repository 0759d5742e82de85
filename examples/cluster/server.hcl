# One server: the API and the controllers, no tasks.
log_level = "INFO"
data_dir  = "/tmp/orch/server1"
bind_addr = "127.0.0.1"

server {
  enabled          = true
  bootstrap_expect = 1
}
