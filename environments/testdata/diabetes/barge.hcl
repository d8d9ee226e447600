project "diabetes" {
  # or "oci://myregistry.azurecr.io/ml/diabetes"
  store = "oci-layout:.barge/store"
}

# --var, BARGE_VAR_prod_host
variable "prod_host" {}

artifact {
  notebooks {
    from    = "notebooks"
    include = ["**/*.py", "**/*.ipynb", "**/*.sql"]
    exclude = ["scratch/**"]
  }
  config {
    from = "conf"
  }
  model "SparkModel" {
    registry = registry.shared
    # what `barge train` registered for this training code; or a number, "latest", a stage, "@alias"
    version = "trained"
    # or a file in git: path = "models/titanic.pkl" (git LFS understood)
    train {
      environment = environment.dev
      notebook    = "train-Spark-model"
      compute     = compute.ml
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
  # default: azidentity's chain
  auth "azure-pipelines" {
    service_connection = env("SC_PROD")
  }
}
workspace "registry" {
  host = "https://adb-4.4.azuredatabricks.net"
}

registry "shared" {
  # workspace | unity_catalog | mlflow
  kind      = "workspace"
  workspace = workspace.registry
  # provisions <prefix>-host, -token, -workspace-id in scope where it is used
  remote "rmr" {
    scope  = "rmr"
    prefix = "rmr"
    token  = secret("keyvault://mlkv/registry-token")
  }
}

compute "ml" {
  spark_version = "15.4.x-cpu-ml-scala2.12"
  node_type     = "Standard_DS3_v2"
  autoscale     = { min = 1, max = 4 }
  libraries     = ["pypi:mlflow==2.16.2"]
}

environment "dev" {
  workspace = workspace.dev
  path      = "/Shared/diabetes"
}

environment "test" {
  title     = "Test / Pre-Prod"
  follows   = [environment.dev]
  workspace = workspace.test
  # releases/ and ledger/ stand below it
  path = "/Barge/diabetes"

  deploy {
    # exact text; each key must occur, the number is shown in plan
    bind        = { "/mnt/modelData/test/" = "/mnt/modelData/preprod/" }
    permissions = { "group:data-scientists" = "CAN_RUN" }
  }
  model "SparkModel" {
    # unity_catalog: name = "test_ml.credit.pd", alias = "challenger"
    stage = "Staging"
  }
  gate "test-model" {
    notebook  = "Test-Pre-Prod-SparkModel"
    compute   = compute.ml
    timeout   = "30m"
    valid_for = "14d"
    # whose champion is `champion`
    against = environment.prod

    expect "accurate enough" {
      that = metrics.accuracy >= 0.77
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
  # for whom a rollback must work
  operators = ["group:on-call"]
  soak      = "24h"

  deploy {
    # with everything it reaches by %run
    only   = ["Production_Batch_Scoring"]
    config = "conf/prod.yml"
  }
  model "SparkModel" {
    stage            = "Production"
    archive_existing = true
  }
  score "nightly" {
    # or job = "jobs/nightly.json", or pipeline = data_factory.main.pipeline.score
    notebook = "Production_Batch_Scoring"
    compute  = compute.ml
    schedule = { cron = "0 0 2 * * ?", timezone = "Europe/London" }
    run_as   = "service-principal:scoring"

    expect "every row scored" {
      that = output.rows_in > 0 && output.rows_out == output.rows_in
    }
  }
}
