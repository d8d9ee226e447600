"""Jobs and runs."""

import time

from databricks.sdk.errors import InvalidParameterValue, InvalidState, ResourceDoesNotExist
from databricks.sdk.service.jobs import (
    CronSchedule,
    JobAccessControlRequest,
    JobPermissionLevel,
    JobSettings,
    NotebookTask,
    RunLifeCycleState,
    RunResultState,
    SubmitTask,
    Task,
)
from databricks.sdk.service.workspace import Language

from checks import same
from workspace import b64


def one(path, **parameters):
    return [SubmitTask(task_key="main", notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters))]


def ended(w, run_id):
    """A run at its end: the SDK's waiter raises for one that failed."""
    while True:
        run = w.jobs.get_run(run_id)
        if run.state.life_cycle_state in (RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR):
            return run
        time.sleep(0.02)


def rows(w):
    j = w.jobs
    for name in ("exits", "fails", "held", "quiet"):
        w.workspace.import_("/Shared/" + name, content=b64("print(1)"), language=Language.PYTHON)
    absent, wrong = ResourceDoesNotExist, InvalidParameterValue
    yield "get of a missing job", absent, "Job 123 does not exist.", lambda: j.get(123)
    yield "get of a missing run", absent, "Run 5 does not exist.", lambda: j.get_run(5)
    yield "get-output of a missing run", absent, "Run 5 does not exist.", lambda: j.get_run_output(5)
    yield "delete of a missing job", wrong, "Job 123 does not exist.", lambda: j.delete(123)
    yield "reset of a missing job", wrong, "Job 123 does not exist.", lambda: j.reset(123, JobSettings())
    yield "update of a missing job", wrong, "Job 123 does not exist.", lambda: j.update(123)
    yield "run-now of a missing job", wrong, "Job 123 does not exist.", lambda: j.run_now(123)
    yield "cancel of a missing run", wrong, "Run 5 does not exist.", lambda: j.cancel_run(5)
    yield "delete of a missing run", wrong, "Run 5 does not exist.", lambda: j.delete_run(5)
    yield (
        "a cron of 5 fields",
        wrong,
        "Invalid quartz_cron_expression: 0 2 * * *. Databricks uses Quartz cron syntax, which is different from the standard cron syntax. "
        "See http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html for more details.",
        lambda: j.create(schedule=CronSchedule("0 2 * * *", "UTC")),
    )
    yield (
        "an unknown time zone",
        wrong,
        "Invalid timezone_id: Mars/Base. It must be a Java timezone ID such as Europe/London.",
        lambda: j.create(schedule=CronSchedule("0 0 2 * * ?", "Mars/Base")),
    )
    yield (
        "git_source without provider",
        wrong,
        "git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit",
        lambda: w.api_client.do("POST", "/api/2.2/jobs/create", body={"git_source": {"git_url": "u", "git_commit": "c"}}),
    )
    yield (
        "idempotency_token of 65 characters",
        wrong,
        "The idempotency token must have at most 64 characters, this one has 65.",
        lambda: j.submit(tasks=one("/Shared/quiet"), idempotency_token="f" * 65),
    )
    yield "submit of nothing", wrong, "One of job_cluster_key, new_cluster, or existing_cluster_id must be specified.", lambda: j.submit()
    yield "a page of 26 runs", wrong, "limit must be between 0 and 25, found 26.", lambda: list(j.list_runs(limit=26))
    yield "a page of 101 jobs", wrong, "limit must be between 1 and 100, found 101.", lambda: list(j.list(limit=101))

    two = j.submit(tasks=[SubmitTask(task_key=k, notebook_task=NotebookTask("/Shared/quiet")) for k in "ab"]).run_id
    ended(w, two)
    yield (
        "get-output of two tasks",
        wrong,
        "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.",
        lambda: j.get_run_output(two),
    )

    def succeeds():
        run = j.submit_and_wait(run_name="r", tasks=one("/Shared/exits", say="hello"))
        same((run.state.life_cycle_state, run.state.result_state), (RunLifeCycleState.TERMINATED, RunResultState.SUCCESS))
        same(j.get_run_output(run.tasks[0].run_id).notebook_output.result, "hello")
        same(run.run_page_url, f"{w.config.host}/?o={w.get_workspace_id()}#job/{run.job_id}/run/{run.run_id}")

    yield "a run that succeeds", None, None, succeeds

    def fails():
        run = ended(w, j.submit(tasks=one("/Shared/fails")).run_id)
        same((run.state.life_cycle_state, run.state.result_state), (RunLifeCycleState.INTERNAL_ERROR, RunResultState.FAILED))
        same(run.tasks[0].state.life_cycle_state, RunLifeCycleState.TERMINATED)
        same(run.state.state_message, "Task main failed with message: Workload failed, see run output for details.")
        same(j.get_run_output(run.tasks[0].run_id).error, "AssertionError: too low")

    yield "a run that fails", None, None, fails

    held = j.submit(tasks=one("/Shared/held")).run_id
    yield "delete of an active run", InvalidState, f"Run {held} is active and cannot be deleted: cancel it first.", lambda: j.delete_run(held)
    yield "cancel", None, None, lambda: same(j.cancel_run_and_wait(held).state.result_state, RunResultState.CANCELED)

    def tokens():
        first = j.submit(tasks=one("/Shared/quiet"), idempotency_token="t").run_id
        ended(w, first)
        same(j.submit(tasks=one("/Shared/quiet"), idempotency_token="t").run_id, first)
        j.delete_run(first)
        same(j.submit(tasks=one("/Shared/quiet"), idempotency_token="t").run_id, first)

    yield "one token, one run", None, None, tokens

    def settings():
        job = j.create(
            name="nightly", description="d", tags={"k": "v"}, schedule=CronSchedule("0 0 2 * * ?", "Europe/London"),
            tasks=[Task(task_key=k, notebook_task=NotebookTask("/" + k)) for k in ("one", "two")],
            access_control_list=[JobAccessControlRequest(group_name="ops", permission_level=JobPermissionLevel.CAN_VIEW)],
        ).job_id
        j.update(job, new_settings=JobSettings(tasks=[Task(task_key="two", notebook_task=NotebookTask("/new"))]), fields_to_remove=["description", "tasks/one", "schedule"])
        s = j.get(job).settings
        same((s.name, s.description, s.schedule, s.tags, [(t.task_key, t.notebook_task.notebook_path) for t in s.tasks]), ("nightly", None, None, {"k": "v"}, [("two", "/new")]))
        same([a.group_name or a.user_name for a in j.get_permissions(str(job)).access_control_list], ["admin@sandbox.test", "ops", "admins"])
        j.reset(job, JobSettings(name="again"))
        same([x.job_id for x in j.list(name="AGAIN")], [job])
        j.delete(job)
        same(list(j.list(name="again")), [])

    yield "settings", None, None, settings

    def pages():
        made = [j.create(name="page").job_id for _ in range(23)]
        same([x.job_id for x in j.list(name="page")], made[::-1])
        same([x.job_id for x in j.list(name="page", limit=5)], made[::-1])

    yield "pages of jobs", None, None, pages

