# The diabetes project: three environments and a registry that they share.
# Hosts here are placeholders; in the sandbox every workspace is a twin on this machine.

project "diabetes" {
  store = "oci-layout:.barge/store"
}

variable "prod_host" {
  default = "https://adb-3.3.azuredatabricks.net"
}

artifact {
  notebooks {
    from    = "notebooks"
    include = ["**/*.py", "**/*.ipynb"]
  }
  config {
    from = "conf"
  }
  model "diabetes" {
    registry = registry.shared
    # what `barge train` registered for this training code
    version = "trained"
    train {
      environment = environment.dev
      notebook    = "train"
      compute     = compute.ml
      parameters = {
        features = "Glucose,BMI"
        c        = "1.0"
      }
    }
  }
}

workspace "dev" {
  host = "https://adb-1.1.azuredatabricks.net"
}

workspace "test" {
  host = "https://adb-2.2.azuredatabricks.net"
}

workspace "prod" {
  host = var.prod_host
}

workspace "registry" {
  host = "https://adb-4.4.azuredatabricks.net"
}

registry "shared" {
  kind      = "workspace"
  workspace = workspace.registry
  # the notebooks find the registry through these secrets: databricks://rmr:rmr
  remote "rmr" {
    scope  = "rmr"
    prefix = "rmr"
    token  = secret("env:REGISTRY_TOKEN")
  }
}

compute "ml" {
  spark_version = "15.4.x-cpu-ml-scala2.12"
  node_type     = "Standard_DS3_v2"
  num_workers   = 1
}

environment "dev" {
  workspace = workspace.dev
  path      = "/Barge/diabetes"
}

environment "test" {
  title     = "Test / Pre-Prod"
  follows   = [environment.dev]
  workspace = workspace.test
  path      = "/Barge/diabetes"

  deploy {
    # the same notebooks read Pre-Prod's own folder of the lake
    bind = { "/mnt/modelData/test/" = "/mnt/modelData/preprod/" }
  }
  model "diabetes" {
    stage            = "Staging"
    archive_existing = true
  }
  gate "test-model" {
    notebook  = "test-model"
    compute   = compute.ml
    timeout   = "30m"
    valid_for = "14d"
    against   = environment.prod

    expect "accurate enough" {
      that = metrics.accuracy >= 0.77
    }
    expect "better than always guessing the commoner class" {
      that = metrics.accuracy > metrics.commoner_class
    }
    expect "no worse than what runs in Prod" {
      when = champion != null
      that = metrics.accuracy >= champion.metrics.accuracy - 0.01
    }
  }
}

environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/diabetes"

  deploy {
    only   = ["batch-scoring"]
    config = "conf/prod.yml"
  }
  model "diabetes" {
    stage            = "Production"
    archive_existing = true
  }
  score "nightly" {
    notebook = "batch-scoring"
    compute  = compute.ml
    schedule = { cron = "0 0 2 * * ?", timezone = "Europe/London" }

    expect "every row scored" {
      that = output.rows_in > 0 && output.rows_out == output.rows_in
    }
  }
}
