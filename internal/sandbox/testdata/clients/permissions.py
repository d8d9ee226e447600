"""Permissions, and who one is."""

from databricks.sdk.errors import InvalidParameterValue, NotFound, ResourceDoesNotExist
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel

from checks import same


def rows(w):
    p = w.permissions
    job = str(w.jobs.create(name="rights").job_id)
    owner = "The job must have exactly one owner."
    absent, wrong = ResourceDoesNotExist, InvalidParameterValue

    def group(level):
        return [AccessControlRequest(group_name="ops", permission_level=level)]

    yield "set without an owner", wrong, owner, lambda: p.set("jobs", job, access_control_list=group(PermissionLevel.CAN_VIEW))
    yield (
        "update that takes the owner away",
        wrong,
        owner,
        lambda: p.update("jobs", job, access_control_list=[AccessControlRequest(user_name="admin@sandbox.test", permission_level=PermissionLevel.CAN_VIEW)]),
    )
    yield "a group as owner", wrong, "A group cannot be the owner of object type job", lambda: p.set("jobs", job, access_control_list=group(PermissionLevel.IS_OWNER))
    yield (
        "a level of other objects",
        wrong,
        "Permission level CAN_READ is not valid for object type job, allowed are CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER",
        lambda: p.update("jobs", job, access_control_list=group(PermissionLevel.CAN_READ)),
    )
    yield "a missing job", absent, "Job 7 does not exist.", lambda: p.get("jobs", "7")
    yield "a missing notebook", absent, "Node ID 7 does not exist.", lambda: p.get("notebooks", "7")
    yield "a missing model", absent, "Registered model with id no does not exist.", lambda: p.get("registered-models", "no")
    yield "a kind that there is not", NotFound, "No API found for 'GET /permissions/kettles/7'", lambda: p.get("kettles", "7")

    def update():
        got = p.update("jobs", job, access_control_list=group(PermissionLevel.CAN_MANAGE_RUN))
        same(
            [(a.user_name or a.group_name, a.all_permissions[0].permission_level, a.all_permissions[0].inherited) for a in got.access_control_list],
            [("admin@sandbox.test", PermissionLevel.IS_OWNER, False), ("ops", PermissionLevel.CAN_MANAGE_RUN, False), ("admins", PermissionLevel.CAN_MANAGE, True)],
        )
        levels = p.get_permission_levels("jobs", job).permission_levels
        same([x.permission_level.value for x in levels], ["IS_OWNER", "CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW"])

    yield "update", None, None, update
    yield "me", None, None, lambda: same(w.current_user.me().user_name, "admin@sandbox.test")
