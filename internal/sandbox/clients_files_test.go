package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/files"
)

func TestGoSDKDBFS(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	d := files.NewDbfs(f.api)
	block := strings.Repeat("x", 1<<20)
	f.must(d.Put(f.context(), files.Put{Path: "/mnt/limit", Contents: encoded(block)}))
	content := strings.Repeat("0123456789abcdef", 5<<14) // a stream of two blocks
	f.must(d.WriteFile(f.context(), "/mnt/a b/ü.bin", []byte(content)))
	got, err := d.ReadFile(f.context(), "/mnt/a b/ü.bin")
	f.must(err)
	if string(got) != content {
		t.Errorf("%d bytes came back of %d", len(got), len(content))
	}
	f.must(d.Move(f.context(), files.Move{SourcePath: "/mnt/a b/ü.bin", DestinationPath: "/mnt/moved"}))
	f.must(d.MkdirsByPath(f.context(), "/mnt/d/e"))
	f.must(d.MkdirsByPath(f.context(), "/mnt/d/e"))
	all, err := d.ListAll(f.context(), files.ListDbfsRequest{Path: "dbfs:/mnt"})
	f.must(err)
	var found []string
	for _, i := range all {
		found = append(found, fmt.Sprint(i.Path, " ", i.IsDir, " ", i.FileSize))
	}
	same(t, "list", found, []string{"/mnt/a b true 0", "/mnt/d true 0", "/mnt/limit false 1048576", "/mnt/moved false 1310720"})
	part, err := d.Read(f.context(), files.ReadDbfsRequest{Path: "/mnt/moved", Offset: 10, Length: 6})
	f.must(err)
	same(t, "read", part.Data, encoded("abcdef"))
	f.must(d.Delete(f.context(), files.Delete{Path: "/mnt/none"}))

	const exists, missing = "400 RESOURCE_ALREADY_EXISTS A file or directory already exists at the input path dbfs:", "404 RESOURCE_DOES_NOT_EXIST No file or directory exists on path dbfs:"
	put := func(p files.Put) func(context.Context) error {
		return func(ctx context.Context) error { return d.Put(ctx, p) }
	}
	f.refused(
		refusal{"put on what is there", put(files.Put{Path: "/mnt/limit", Contents: encoded("1")}), exists + "/mnt/limit.", apierr.ErrResourceAlreadyExists},
		refusal{"put without a path", put(files.Put{Contents: encoded("1")}), "400 INVALID_PARAMETER_VALUE Missing required field: path", apierr.ErrInvalidParameterValue},
		refusal{"a block of more than 1 MB", func(ctx context.Context) error {
			made, err := d.Create(ctx, files.Create{Path: "/mnt/stream"})
			if err != nil {
				return err
			}
			return d.AddBlock(ctx, files.AddBlock{Handle: made.Handle, Data: encoded(block + "x")})
		}, "400 MAX_BLOCK_SIZE_EXCEEDED The block of 1048577 bytes is larger than the maximum of 1048576 bytes.", apierr.ErrBadRequest},
		refusal{"a block to no stream", func(ctx context.Context) error { return d.AddBlock(ctx, files.AddBlock{Handle: 99}) }, "404 RESOURCE_DOES_NOT_EXIST No opened stream found for handle 99.", apierr.ErrResourceDoesNotExist},
		refusal{"mkdirs over a file", func(ctx context.Context) error { return d.MkdirsByPath(ctx, "/mnt/limit") }, exists + "/mnt/limit.", apierr.ErrResourceAlreadyExists},
		refusal{"move onto a file", func(ctx context.Context) error {
			return d.Move(ctx, files.Move{SourcePath: "/mnt/moved", DestinationPath: "/mnt/limit"})
		}, exists + "/mnt/limit.", apierr.ErrResourceAlreadyExists},
		refusal{"move of nothing", func(ctx context.Context) error {
			return d.Move(ctx, files.Move{SourcePath: "/no", DestinationPath: "/x"})
		}, missing + "/no.", apierr.ErrResourceDoesNotExist},
		refusal{"read of nothing", failing(func(ctx context.Context) (*files.ReadResponse, error) {
			return d.Read(ctx, files.ReadDbfsRequest{Path: "/no"})
		}), missing + "/no.", apierr.ErrResourceDoesNotExist},
		refusal{"read of a folder", failing(func(ctx context.Context) (*files.ReadResponse, error) {
			return d.Read(ctx, files.ReadDbfsRequest{Path: "/mnt/d"})
		}), "400 INVALID_PARAMETER_VALUE The path dbfs:/mnt/d is a directory.", apierr.ErrInvalidParameterValue},
		refusal{"status of nothing", failing(func(ctx context.Context) (*files.FileInfo, error) { return d.GetStatusByPath(ctx, "/no") }), missing + "/no.", apierr.ErrResourceDoesNotExist},
		refusal{"list of nothing", failing(func(ctx context.Context) (*files.ListStatusResponse, error) { return d.ListByPath(ctx, "/no") }), missing + "/no.", apierr.ErrResourceDoesNotExist},
		refusal{
			"delete of a folder that holds something", func(ctx context.Context) error { return d.Delete(ctx, files.Delete{Path: "/mnt"}) },
			"400 IO_ERROR Directory dbfs:/mnt is not empty. Use recursive=true to delete it.", apierr.ErrBadRequest,
		},
	)
}

func TestGoSDKVolumes(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	v := files.NewFiles(f.api)
	const volume = "/Volumes/main/ml/v"
	upload := func(ctx context.Context, path, content string, createOnly bool) error {
		r := files.UploadRequest{FilePath: volume + path, Contents: io.NopCloser(strings.NewReader(content))}
		if createOnly {
			r.ForceSendFields = []string{"Overwrite"} // without, false is not sent and the file overwritten
		}
		return v.Upload(ctx, r)
	}
	f.must(upload(f.context(), "/a b/ü #?%.bin", "first", true))
	f.must(upload(f.context(), "/a b/ü #?%.bin", "second!", false))
	f.must(upload(f.context(), "/empty", "", true))
	got, err := v.DownloadByFilePath(f.context(), volume+"/a b/ü #?%.bin")
	f.must(err)
	content, err := io.ReadAll(got.Contents)
	f.must(errors.Join(err, got.Contents.Close()))
	same(t, "download", []any{string(content), got.ContentLength, got.LastModified != ""}, []any{"second!", int64(7), true})
	about, err := v.GetMetadataByFilePath(f.context(), volume+"/a b/ü #?%.bin")
	f.must(err)
	same(t, "metadata", []any{about.ContentLength, about.ContentType, about.LastModified}, []any{int64(7), "application/octet-stream", got.LastModified})
	big := make([]byte, 12<<20)
	f.must(v.Upload(f.context(), files.UploadRequest{FilePath: volume + "/big", Contents: io.NopCloser(bytes.NewReader(big))}))

	for range 2 { // safe to repeat
		f.must(v.CreateDirectory(f.context(), files.CreateDirectoryRequest{DirectoryPath: volume + "/d/e/"}))
	}
	f.must(v.GetDirectoryMetadataByDirectoryPath(f.context(), volume+"/d"))
	for _, size := range []int64{0, 1, 3} {
		all, err := v.ListDirectoryContentsAll(f.context(), files.ListDirectoryContentsRequest{DirectoryPath: volume, PageSize: size})
		f.must(err)
		var found []string
		for _, e := range all {
			found = append(found, fmt.Sprint(e.Name, " ", e.IsDirectory, " ", e.FileSize))
		}
		same(t, fmt.Sprint("list by ", size), found, []string{"a b true 0", "big false 12582912", "d true 0", "empty false 0"})
	}
	const noFile, noFolder = "404 NOT_FOUND The file being accessed is not found.", "404 NOT_FOUND The directory being accessed is not found."
	f.refused(
		refusal{"create-only on what is there", func(ctx context.Context) error { return upload(ctx, "/empty", "x", true) }, "409 ALREADY_EXISTS The file being created already exists.", apierr.ErrAlreadyExists},
		refusal{"upload beside a volume", func(ctx context.Context) error {
			return v.Upload(ctx, files.UploadRequest{FilePath: "/Volumes/main/ml", Contents: io.NopCloser(strings.NewReader("x"))})
		}, "400 INVALID_PARAMETER_VALUE Invalid path: /Volumes/main/ml. A path in a volume is /Volumes/<catalog>/<schema>/<volume>/<path>.", apierr.ErrInvalidParameterValue},
		refusal{"download of nothing", failing(func(ctx context.Context) (*files.DownloadResponse, error) {
			return v.DownloadByFilePath(ctx, volume+"/no")
		}), noFile, apierr.ErrNotFound},
		refusal{"metadata of nothing, without a body", failing(func(ctx context.Context) (*files.GetMetadataResponse, error) {
			return v.GetMetadataByFilePath(ctx, volume+"/no")
		}), "404  Not Found", apierr.ErrNotFound},
		refusal{"metadata of no folder, without a body", func(ctx context.Context) error { return v.GetDirectoryMetadataByDirectoryPath(ctx, volume+"/no") }, "404  Not Found", apierr.ErrNotFound},
		refusal{"list of nothing", failing(func(ctx context.Context) ([]files.DirectoryEntry, error) {
			return v.ListDirectoryContentsAll(ctx, files.ListDirectoryContentsRequest{DirectoryPath: volume + "/no"})
		}), noFolder, apierr.ErrNotFound},
		refusal{"delete of nothing", func(ctx context.Context) error { return v.DeleteByFilePath(ctx, volume+"/no") }, noFile, apierr.ErrNotFound},
		refusal{
			"delete of a folder that holds something", func(ctx context.Context) error { return v.DeleteDirectoryByDirectoryPath(ctx, volume+"/d") },
			"400 FILES_API_DIRECTORY_IS_NOT_EMPTY The directory being deleted is not empty.", apierr.ErrBadRequest,
		},
	)
	f.must(v.DeleteDirectoryByDirectoryPath(f.context(), volume+"/d/e"))
	f.must(v.DeleteByFilePath(f.context(), volume+"/empty"))
}
