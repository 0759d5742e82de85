# A web server that needs nothing but the Node that runs orch.
# Try: orchctl plan, change the greeting or the count, and run it again.
job "hello" {
  datacenters = ["dc1"]

  update {
    max_parallel     = 1
    min_healthy_time = "2s"
  }

  group "web" {
    count = 1

    network {
      port "http" {}
    }

    service {
      name = "hello"
      port = "http"

      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }

    task "server" {
      driver = "raw_exec"

      config {
        command = "node"
        args    = ["-e", <<-EOS
          const { NOMAD_IP_http: host, NOMAD_PORT_http: port, NOMAD_ALLOC_NAME: name, GREETING: greeting } = process.env;
          require('node:http')
            .createServer((request, response) => {
              console.log(`${request.method} ${request.url}`);
              response.end(`${greeting} from ${name}\n`);
            })
            .listen(port, host, () => console.log(`${name} listens on http://${host}:${port}`));
        EOS
        ]
      }

      env {
        GREETING = "Hello"
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
