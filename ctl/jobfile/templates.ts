/** The job files that `job init` writes. */

export const shortExample = `job "example" {
  datacenters = ["dc1"]

  group "cache" {
    network {
      port "db" {
        to = 6379
      }
    }

    task "redis" {
      driver = "docker"

      config {
        image = "redis:3.2"

        ports = ["db"]
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
`;

export const example = `# A job is work that is wanted. It is split into groups, whose tasks run together on one machine. Change what you need,
# see what would happen with "orchctl job plan example.nomad", then make it so with "orchctl job run example.nomad".
job "example" {
  # Where it may run. Without the line: in every datacenter.
  datacenters = ["dc1"]

  # "service" runs until it is stopped, "batch" until it has succeeded, "system" on every machine.
  type = "service"

  # How a new version replaces the old one.
  update {
    # How many allocations are replaced at the same time.
    max_parallel = 1

    # How long an allocation must be healthy before the next one is replaced.
    min_healthy_time = "10s"

    # An allocation that is not healthy by then is unhealthy.
    healthy_deadline = "3m"

    # The rollout fails when no further allocation has become healthy for this long.
    progress_deadline = "10m"

    # Whether a failed rollout goes back to the last version that worked.
    auto_revert = false

    # How many allocations of the new version run beside the old ones until it is promoted.
    canary = 0
  }

  # How allocations leave a machine that is drained.
  migrate {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "10s"
    healthy_deadline = "5m"
  }

  # A group of tasks that are placed together.
  group "cache" {
    # How many of it.
    count = 1

    # The ports that it needs. The machine gives each a free one, and forwards it to the one named by "to".
    network {
      port "db" {
        to = 6379
      }
    }

    # How others find it.
    service {
      name = "redis-cache"
      tags = ["global", "cache"]
      port = "db"

      # Whether it works; a rollout waits for it.
      check {
        name     = "alive"
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
      }
    }

    # What happens when a task ends though it should not: it is restarted on the same machine,
    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"

      # and given up after the attempts ("fail"), or tried again in the next interval ("delay").
      mode = "fail"
    }

    # Disk space, in MB, for the folder that the tasks share.
    ephemeral_disk {
      size = 300
    }

    task "redis" {
      # What runs it: "docker", "exec", "raw_exec" ...
      driver = "docker"

      # What the driver is told.
      config {
        image = "redis:3.2"
        ports = ["db"]
      }

      # What is set aside for it: MHz and MB.
      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
`;
