package sandbox_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

const notebookSource = "# Databricks notebook source\nprint(1)\n"

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// importFile is the call that the vendor's command line makes; the SDK has no method for it.
func (f foreigner) importFile(ctx context.Context, path, content string, overwrite bool) error {
	target := "/api/2.0/workspace-files/import-file/" + url.PathEscape(strings.TrimPrefix(path, "/"))
	return f.api.Do(ctx, http.MethodPost, fmt.Sprintf("%s?overwrite=%t", target, overwrite), nil, nil, []byte(content), nil)
}

// notebooks imports Python notebooks of one cell.
func (f foreigner) notebooks(paths ...string) {
	f.Helper()
	for _, path := range paths {
		f.must(workspace.NewWorkspace(f.api).Import(f.context(), workspace.Import{Path: path, Language: workspace.LanguagePython, Content: encoded("print(1)")}))
	}
}

func TestGoSDKWorkspaceFilesRefused(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	w := workspace.NewWorkspace(f.api)
	f.must(f.importFile(f.context(), "/Shared/f.txt", "1", false))
	f.must(f.importFile(f.context(), "/Shared/n.py", notebookSource, false))
	f.must(w.MkdirsByPath(f.context(), "/Shared/full/of"))
	put := func(i workspace.Import) func(context.Context) error {
		return func(ctx context.Context) error { return w.Import(ctx, i) }
	}
	file := func(path, content string, overwrite bool) func(context.Context) error {
		return func(ctx context.Context) error { return f.importFile(ctx, path, content, overwrite) }
	}
	at := func(path string) func(context.Context) error {
		return failing(func(ctx context.Context) (*workspace.ObjectInfo, error) { return w.GetStatusByPath(ctx, path) })
	}
	const auto, source, python = workspace.ImportFormatAuto, workspace.ImportFormatSource, workspace.LanguagePython
	f.refused(
		refusal{
			"import of an existing path", put(workspace.Import{Path: "/Shared/f.txt", Format: auto, Content: encoded("2")}),
			"400 RESOURCE_ALREADY_EXISTS Path (/Shared/f.txt) already exists. Please pass overwrite=true to overwrite it.", apierr.ErrResourceAlreadyExists,
		},
		refusal{"upload to an existing path", func(ctx context.Context) error {
			return w.Upload(ctx, "/Workspace/Shared/f.txt", strings.NewReader("2"), workspace.UploadFormat(auto))
		}, "400 RESOURCE_ALREADY_EXISTS Path (/Shared/f.txt) already exists. Please pass overwrite=true to overwrite it.", apierr.ErrResourceAlreadyExists},
		refusal{"import-file, existing FILE", file("/Shared/f.txt", "2", false), "409 <nil> File already exists at path /Shared/f.txt", apierr.ErrResourceConflict},
		refusal{"import-file, existing NOTEBOOK", file("/Shared/n.py", notebookSource, false), "400  Path (/Shared/n) already exists.", apierr.ErrBadRequest},
		refusal{"import-file with overwrite, type differs", file("/Shared/n", "2", true), "400 INVALID_PARAMETER_VALUE type mismatch (asked: FILE, actual: NOTEBOOK)", apierr.ErrInvalidParameterValue},
		refusal{
			"import with overwrite, type differs", put(workspace.Import{Path: "/Shared/f.txt", Language: python, Content: encoded("2"), Overwrite: true}),
			"400 INVALID_PARAMETER_VALUE Requested node type [NOTEBOOK] is different from the existing node type [FILE]", apierr.ErrInvalidParameterValue,
		},
		refusal{
			"import with overwrite and AUTO but still refused", put(workspace.Import{Path: "/Shared/n", Format: auto, Content: encoded("2"), Overwrite: true}),
			"400 RESOURCE_ALREADY_EXISTS Node named 'n' already exists", apierr.ErrResourceAlreadyExists,
		},
		refusal{
			"missing parent", put(workspace.Import{Path: "/Shared/no/f.txt", Format: auto, Content: encoded("2")}),
			"404 RESOURCE_DOES_NOT_EXIST The parent folder (/Shared/no) does not exist.", apierr.ErrResourceDoesNotExist,
		},
		refusal{"import-file, missing parent", file("/Shared/no/f.txt", "2", false), "404 RESOURCE_DOES_NOT_EXIST The parent folder (/Shared/no) does not exist.", apierr.ErrResourceDoesNotExist},
		refusal{
			"empty content, dropped by the SDK", put(workspace.Import{Path: "/Shared/empty", Format: auto}),
			"400 INVALID_PARAMETER_VALUE No input data source provided", apierr.ErrInvalidParameterValue,
		},
		refusal{
			"SOURCE without language", put(workspace.Import{Path: "/Shared/x", Format: source, Content: encoded("2")}),
			"400 INVALID_PARAMETER_VALUE Language must be one of PYTHON, SQL, SCALA, R for a SOURCE import, got ''", apierr.ErrInvalidParameterValue,
		},
		refusal{
			"formats are case sensitive", put(workspace.Import{Path: "/Shared/x", Format: "Auto", Content: encoded("2")}),
			"400 INVALID_PARAMETER_VALUE Unknown import format: Auto", apierr.ErrInvalidParameterValue,
		},
		refusal{
			"DBC with overwrite", put(workspace.Import{Path: "/Shared/x", Format: workspace.ImportFormatDbc, Content: encoded("2"), Overwrite: true}),
			"400 INVALID_PARAMETER_VALUE Overwrite is not supported for format DBC", apierr.ErrInvalidParameterValue,
		},
		refusal{
			"mkdirs over a file", func(ctx context.Context) error { return w.MkdirsByPath(ctx, "/Shared/f.txt/x") },
			"400 RESOURCE_ALREADY_EXISTS /Shared/f.txtalready exists and it is not a folder", apierr.ErrResourceAlreadyExists,
		},
		refusal{"status of nothing", at("/Shared/no"), "404 RESOURCE_DOES_NOT_EXIST Path (/Shared/no) doesn't exist.", apierr.ErrResourceDoesNotExist},
		refusal{"status of another case", at("/shared"), "404 RESOURCE_DOES_NOT_EXIST Path (/shared) doesn't exist.", apierr.ErrResourceDoesNotExist},
		refusal{"status without a path", at(""), "400 INVALID_PARAMETER_VALUE Missing required field: path", apierr.ErrInvalidParameterValue},
		refusal{"status of a relative path", at("Shared"), "400 INVALID_PARAMETER_VALUE Path (Shared) doesn't start with '/'", apierr.ErrInvalidParameterValue},
		refusal{
			"export of nothing", failing(func(ctx context.Context) ([]byte, error) { return w.ReadFile(ctx, "/Shared/no") }),
			"404 RESOURCE_DOES_NOT_EXIST Path (/Shared/no) doesn't exist.", apierr.ErrResourceDoesNotExist,
		},
		refusal{"list of nothing", failing(func(ctx context.Context) ([]workspace.ObjectInfo, error) {
			return w.ListAll(ctx, workspace.ListWorkspaceRequest{Path: "/Shared/no"})
		}), "404 RESOURCE_DOES_NOT_EXIST Path (/Shared/no) doesn't exist.", apierr.ErrResourceDoesNotExist},
		refusal{
			"delete of a folder that holds something", func(ctx context.Context) error { return w.Delete(ctx, workspace.Delete{Path: "/Shared/full"}) },
			"400 DIRECTORY_NOT_EMPTY Folder (/Shared/full) is not empty", apierr.ErrBadRequest,
		},
		refusal{"delete of nothing", func(ctx context.Context) error {
			return w.Delete(ctx, workspace.Delete{Path: "/Shared/no", Recursive: true})
		}, "404 RESOURCE_DOES_NOT_EXIST Path (/Shared/no) doesn't exist.", apierr.ErrResourceDoesNotExist},
	)
	// The shape that no sentinel of conflict stands for.
	if err := f.importFile(f.context(), "/Shared/n.py", notebookSource, false); errors.Is(err, apierr.ErrResourceConflict) {
		t.Errorf("%v is taken for a conflict", err)
	}
	for _, conflict := range []error{f.importFile(f.context(), "/Shared/f.txt", "2", false), put(workspace.Import{Path: "/Shared/f.txt", Format: auto, Content: encoded("2")})(f.context())} {
		if !errors.Is(conflict, apierr.ErrResourceConflict) {
			t.Errorf("%v is not taken for a conflict", conflict)
		}
	}
}

func TestGoSDKWorkspaceFiles(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	w := workspace.NewWorkspace(f.api)
	const folder = "/Shared/a b/ü 日本"
	f.must(w.MkdirsByPath(f.context(), "/Workspace"+folder))
	f.must(w.MkdirsByPath(f.context(), folder+"/")) // again
	f.must(w.Upload(f.context(), folder+"/empty #?%.txt", strings.NewReader(""), workspace.UploadFormat(workspace.ImportFormatAuto)))
	f.must(w.Upload(f.context(), folder+"/n.py", strings.NewReader("print(1)\n"))) // its language by its extension
	f.must(w.Upload(f.context(), folder+"/auto.py", strings.NewReader(notebookSource), workspace.UploadFormat(workspace.ImportFormatAuto)))
	f.must(w.Upload(f.context(), folder+"/big.bin", bytes.NewReader(make([]byte, 11<<20)), workspace.UploadFormat(workspace.ImportFormatAuto)))
	f.must(w.WriteFile(f.context(), folder+"/w.txt", []byte("first")))
	f.must(w.WriteFile(f.context(), folder+"/w.txt", []byte("second")))
	f.must(w.Import(f.context(), workspace.Import{Path: folder + "/n.sql", Format: workspace.ImportFormatAuto, Content: encoded("-- Databricks notebook source\nSELECT 1")}))

	all, err := w.RecursiveList(f.context(), "/Shared")
	f.must(err)
	var found []string
	for _, o := range all {
		found = append(found, fmt.Sprint(strings.TrimPrefix(o.Path, folder+"/"), " ", o.ObjectType, " ", o.Language, " ", o.Size))
		if o.ObjectId == 0 || o.ResourceId != fmt.Sprint(o.ObjectId) || (o.CreatedAt > 0) != (o.ObjectType == workspace.ObjectTypeFile) {
			t.Errorf("%+v", o)
		}
	}
	same(t, "list", found, []string{
		"auto NOTEBOOK PYTHON 0", "big.bin FILE  11534336", "empty #?%.txt FILE  0", "n NOTEBOOK SQL 0", "n.py NOTEBOOK PYTHON 0", "w.txt FILE  6",
	})
	for path, want := range map[string]string{"/w.txt": "second", "/empty #?%.txt": "", "/auto": notebookSource, "/n.py": "# Databricks notebook source\nprint(1)\n"} {
		got, err := w.ReadFile(f.context(), folder+path)
		f.must(err)
		same(t, path, string(got), want)
	}
	exported, err := w.Export(f.context(), workspace.ExportRequest{Path: folder + "/auto", Format: workspace.ExportFormatSource})
	f.must(err)
	same(t, "export", fmt.Sprint(exported.Content, " ", exported.FileType), encoded(notebookSource)+" py")

	before, err := w.GetStatusByPath(f.context(), "/Workspace"+folder+"/w.txt")
	f.must(err)
	f.must(f.importFile(f.context(), folder+"/w.txt", "third", true))
	after, err := w.GetStatusByPath(f.context(), folder+"/w.txt")
	f.must(err)
	same(t, "overwriting keeps the object", []any{after.ObjectId, after.CreatedAt, after.Size}, []any{before.ObjectId, before.CreatedAt, int64(5)})
	for _, path := range []string{"/", "/Workspace", "/Shared", folder} {
		o, err := w.GetStatusByPath(f.context(), path)
		f.must(err)
		same(t, path, o.ObjectType, workspace.ObjectTypeDirectory)
	}
	f.must(w.Delete(f.context(), workspace.Delete{Path: "/Shared/a b", Recursive: true}))
	left, err := w.ListAll(f.context(), workspace.ListWorkspaceRequest{Path: "/Shared"})
	f.must(err)
	same(t, "after delete", len(left), 0)
}

func TestGoSDKRacersForOnePath(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	w := workspace.NewWorkspace(f.api)
	for name, write := range map[string]func(path, content string) error{
		"import": func(path, content string) error {
			return w.Import(f.context(), workspace.Import{Path: path, Format: workspace.ImportFormatAuto, Content: encoded(content)})
		},
		"upload": func(path, content string) error {
			return w.Upload(f.context(), path, strings.NewReader(content), workspace.UploadFormat(workspace.ImportFormatAuto))
		},
		"import-file": func(path, content string) error { return f.importFile(f.context(), path, content, false) },
	} {
		errs := make([]error, 12) // within the SDK's burst of 15
		var racers sync.WaitGroup
		for i := range errs {
			racers.Go(func() { errs[i] = write("/Shared/"+name, fmt.Sprint(i)) })
		}
		racers.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner < 0:
				winner = i
			case !errors.Is(err, apierr.ErrResourceConflict):
				t.Errorf("%s: racer %d, after %d had won, is told %s", name, i, winner, told(err))
			}
		}
		got, err := w.ReadFile(f.context(), "/Shared/"+name)
		f.must(err)
		same(t, name, string(got), fmt.Sprint(winner))
	}
}
