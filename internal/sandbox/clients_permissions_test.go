package sandbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// rights are an access control list, one principal after the other.
func rights(list []iam.AccessControlResponse) string {
	var all []string
	for _, r := range list {
		one := r.UserName + r.GroupName + r.ServicePrincipalName
		for _, p := range r.AllPermissions {
			one += fmt.Sprint(" ", p.PermissionLevel, strings.Join(p.InheritedFromObject, ""))
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

func user(name string, level iam.PermissionLevel) iam.AccessControlRequest {
	return iam.AccessControlRequest{UserName: name, PermissionLevel: level}
}

func group(name string, level iam.PermissionLevel) iam.AccessControlRequest {
	return iam.AccessControlRequest{GroupName: name, PermissionLevel: level}
}

func TestGoSDKPermissions(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	p := iam.NewPermissions(f.api)
	job := fmt.Sprint(f.created(jobs.CreateJob{Name: "j"}))
	w := workspace.NewWorkspace(f.api)
	f.must(w.MkdirsByPath(f.context(), "/Shared/releases"))
	f.notebooks("/Shared/releases/n")
	folder, err := w.GetStatusByPath(f.context(), "/Shared/releases")
	f.must(err)
	notebook, err := w.GetStatusByPath(f.context(), "/Shared/releases/n")
	f.must(err)
	shared, err := w.GetStatusByPath(f.context(), "/Shared")
	f.must(err)
	set := func(kind, id string, list ...iam.AccessControlRequest) string {
		t.Helper()
		got, err := p.Set(f.context(), iam.SetObjectPermissions{RequestObjectType: kind, RequestObjectId: id, AccessControlList: list})
		f.must(err)
		return rights(got.AccessControlList)
	}
	update := func(kind, id string, list ...iam.AccessControlRequest) string {
		t.Helper()
		got, err := p.Update(f.context(), iam.UpdateObjectPermissions{RequestObjectType: kind, RequestObjectId: id, AccessControlList: list})
		f.must(err)
		return rights(got.AccessControlList)
	}
	const sp = "11111111-2222-3333-4444-555555555555"
	const me, admins = "admin@sandbox.test", ", admins CAN_MANAGE/jobs/"
	owner := user(me, "IS_OWNER")
	same(t, "update adds", update("jobs", job, group("ops", "CAN_VIEW")), me+" IS_OWNER, ops CAN_VIEW"+admins)
	same(t, "update changes", update("jobs", job, group("ops", "CAN_MANAGE_RUN")), me+" IS_OWNER, ops CAN_MANAGE_RUN"+admins)
	same(t, "update with nothing removes nothing", update("jobs", job), me+" IS_OWNER, ops CAN_MANAGE_RUN"+admins)
	same(t, "set replaces, the last level of a principal wins", set("jobs", job, user("a@b.c", "CAN_VIEW"), owner, user("a@b.c", "CAN_MANAGE"),
		iam.AccessControlRequest{ServicePrincipalName: sp, PermissionLevel: "CAN_VIEW"}), me+" IS_OWNER, a@b.c CAN_MANAGE, "+sp+" CAN_VIEW"+admins)
	same(t, "a new owner", set("jobs", job, user("a@b.c", "IS_OWNER")), "a@b.c IS_OWNER"+admins)

	dir, node := fmt.Sprint(folder.ObjectId), fmt.Sprint(notebook.ObjectId)
	inherited := fmt.Sprintf("users CAN_MANAGE/directories/%d, admins CAN_MANAGE/directories/0", shared.ObjectId)
	same(t, "a folder", set("directories", dir, group("ops", "CAN_RUN")), "ops CAN_RUN, "+inherited)
	same(t, "what is in it inherits", update("notebooks", node, group("ops", "CAN_EDIT")), me+" CAN_MANAGE, ops CAN_EDIT CAN_RUN/directories/"+dir+", "+inherited)
	same(t, "and cannot take that back", set("notebooks", node), "ops CAN_RUN/directories/"+dir+", "+inherited)

	levels, err := p.GetPermissionLevels(f.context(), iam.GetPermissionLevelsRequest{RequestObjectType: "jobs", RequestObjectId: job})
	f.must(err)
	var names []iam.PermissionLevel
	for _, l := range levels.PermissionLevels {
		names = append(names, l.PermissionLevel)
	}
	same(t, "levels", names, []iam.PermissionLevel{"IS_OWNER", "CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW"})
}

func TestGoSDKPermissionsRefused(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	p := iam.NewPermissions(f.api)
	job := fmt.Sprint(f.created(jobs.CreateJob{Name: "j"}))
	shared, err := workspace.NewWorkspace(f.api).GetStatusByPath(f.context(), "/Shared")
	f.must(err)
	folder := fmt.Sprint(shared.ObjectId)
	get := func(kind, id string) func(context.Context) error {
		return failing(func(ctx context.Context) (*iam.ObjectPermissions, error) {
			return p.GetByRequestObjectTypeAndRequestObjectId(ctx, kind, id)
		})
	}
	set := func(list ...iam.AccessControlRequest) func(context.Context) error {
		return failing(func(ctx context.Context) (*iam.ObjectPermissions, error) {
			return p.Set(ctx, iam.SetObjectPermissions{RequestObjectType: "jobs", RequestObjectId: job, AccessControlList: list})
		})
	}
	update := func(list ...iam.AccessControlRequest) func(context.Context) error {
		return failing(func(ctx context.Context) (*iam.ObjectPermissions, error) {
			return p.Update(ctx, iam.UpdateObjectPermissions{RequestObjectType: "jobs", RequestObjectId: job, AccessControlList: list})
		})
	}
	const invalid, missing = "400 INVALID_PARAMETER_VALUE ", "404 RESOURCE_DOES_NOT_EXIST "
	absent, wrong := apierr.ErrResourceDoesNotExist, apierr.ErrInvalidParameterValue
	f.refused(
		refusal{"set without an owner", set(group("ops", "CAN_VIEW")), invalid + "The job must have exactly one owner.", wrong},
		refusal{"set of nothing", set(), invalid + "The job must have exactly one owner.", wrong},
		refusal{"set with two owners", set(user("a@b.c", "IS_OWNER"), user("d@e.f", "IS_OWNER")), invalid + "The job must have exactly one owner.", wrong},
		refusal{"update that takes the owner away", update(user("admin@sandbox.test", "CAN_VIEW")), invalid + "The job must have exactly one owner.", wrong},
		refusal{"a group as owner", set(group("ops", "IS_OWNER")), invalid + "A group cannot be the owner of object type job", wrong},
		refusal{"a level of other objects", update(group("ops", "CAN_READ")), invalid + "Permission level CAN_READ is not valid for object type job, allowed are CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER", wrong},
		refusal{"nobody", update(iam.AccessControlRequest{PermissionLevel: "CAN_VIEW"}), invalid + "Exactly one of user_name, group_name and service_principal_name must be given", wrong},
		refusal{"two in one", update(iam.AccessControlRequest{UserName: "a", GroupName: "b", PermissionLevel: "CAN_VIEW"}), invalid + "Exactly one of user_name, group_name and service_principal_name must be given", wrong},
		refusal{"no level", update(group("ops", "")), invalid + "Missing required field: permission_level", wrong},
		refusal{"a service principal by its name", update(iam.AccessControlRequest{ServicePrincipalName: "scoring", PermissionLevel: "CAN_VIEW"}), missing + "Principal: ServicePrincipalName(scoring) does not exist", absent},
		refusal{"a missing job", get("jobs", "7"), missing + "Job 7 does not exist.", absent},
		refusal{"a job of no number", get("jobs", "x"), missing + "Job x does not exist.", absent},
		refusal{"a missing notebook", get("notebooks", "7"), missing + "Node ID 7 does not exist.", absent},
		refusal{"a folder as notebook", get("notebooks", folder), missing + "Node ID " + folder + " is not of type notebooks.", absent},
		refusal{"a missing model", get("registered-models", "no"), missing + "Registered model with id no does not exist.", absent},
		refusal{"a missing warehouse", get("sql/warehouses", "7"), missing + "No object of type sql/warehouses with id 7 exists.", absent},
		refusal{"a kind that there is not", get("kettles", "7"), "404 ENDPOINT_NOT_FOUND No API found for 'GET /permissions/kettles/7'", apierr.ErrNotFound},
	)
	same(t, "nothing of that has changed", func() string {
		got, err := p.GetByRequestObjectTypeAndRequestObjectId(f.context(), "jobs", job)
		f.must(err)
		return rights(got.AccessControlList)
	}(), "admin@sandbox.test IS_OWNER, admins CAN_MANAGE/jobs/")
}

func TestGoSDKMe(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	me, err := iam.NewCurrentUser(f.api).Me(f.context(), iam.MeRequest{})
	f.must(err)
	var groups []string
	for _, g := range me.Groups {
		groups = append(groups, g.Display)
	}
	same(t, "me", []any{me.UserName, me.DisplayName, me.Active, groups}, []any{"admin@sandbox.test", "Sandbox Admin", true, []string{"admins", "users"}})
}
