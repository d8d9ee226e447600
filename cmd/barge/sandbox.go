package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/internal/sandbox"
)

// idleExit ends a sandbox that nobody brought up on purpose.
const idleExit = 15 * time.Minute

func sandboxCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "sandbox",
		Usage: "twins of Databricks workspaces on this machine: real notebooks, a real MLflow",
		Subcommands: []*cli.Command{
			sandboxUp(h), sandboxDown(h), sandboxStatus(h), sandboxLogs(h), sandboxReset(h), sandboxEnv(h), sandboxServe(h),
		},
	}
}

func workspaceFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "workspace", Aliases: []string{"w"}, Usage: "`NAME` of a workspace; may be repeated (default: those of barge.hcl)"}
}

// upOptions start this program's own server.
func (h *house) upOptions(names []string, idle time.Duration) sandbox.UpOptions {
	args := []string{"sandbox", "serve", "--dir", h.dir, "--sandbox-dir", h.sandboxDir()}
	for _, name := range names {
		args = append(args, "--workspace", name)
	}
	if idle > 0 {
		args = append(args, "--idle", idle.String())
	}
	return sandbox.UpOptions{Args: args, Dir: h.sandboxDir(), Workspaces: names, Progress: h.console.Err}
}

// twinNames are the workspaces asked for, or those of barge.hcl.
func (h *house) twinNames(c *cli.Context) ([]string, error) {
	if names := c.StringSlice("workspace"); len(names) > 0 {
		return names, nil
	}
	h.sandbox = true
	project, err := h.project()
	if err != nil {
		return nil, &hintedError{err, "or name the workspaces: barge sandbox up --workspace dev --workspace registry"}
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	return names, nil
}

func sandboxUp(h *house) *cli.Command {
	return &cli.Command{
		Name:  "up",
		Usage: "bring the sandbox up, in the background; copy data into it",
		Flags: []cli.Flag{workspaceFlag(), &cli.StringSliceFlag{
			Name:  "data",
			Usage: "copy a file or folder to where notebooks find it: `[WORKSPACE:]PATH=SOURCE`, such as dbfs:/mnt/data=./data; without WORKSPACE into every twin; may be repeated",
		}},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			names, err := h.twinNames(c)
			if err != nil {
				return err
			}
			data, err := h.dataOf(c, names)
			if err != nil {
				return err
			}
			status, err := sandbox.Up(c.Context, h.upOptions(names, 0))
			if err != nil {
				return err
			}
			copied := []sandbox.Copied{}
			for _, d := range data {
				put, err := status.Put(d)
				if err != nil {
					return err
				}
				copied = append(copied, put...)
			}
			return h.printSandbox(status, copied)
		},
	}
}

// dataOf reads the --data of a command before anything is started for it.
func (h *house) dataOf(c *cli.Context, names []string) ([]sandbox.Data, error) {
	known, err := sandbox.Look(h.sandboxDir())
	if err != nil {
		return nil, err
	}
	names = slices.Clone(names)
	for _, t := range known.Twins {
		names = append(names, t.Name)
	}
	var all []sandbox.Data
	for _, text := range c.StringSlice("data") {
		d, err := sandbox.ParseData(text)
		if err != nil {
			return nil, &usageError{message: "--data " + err.Error()}
		}
		if d.Source, err = h.folder(d.Source); err != nil {
			return nil, err
		}
		if err := d.Check(names); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (h *house) printSandbox(status sandbox.Status, copied []sandbox.Copied) error {
	result := struct {
		sandbox.Status
		Data []sandbox.Copied `json:"data,omitempty"`
	}{status, copied}
	return h.print(result, func(w io.Writer) {
		if !status.Running {
			fmt.Fprintln(w, "the sandbox is not running")
			return
		}
		for _, t := range status.Twins {
			fmt.Fprintf(w, "workspace %s: %s (id %d)\n", t.Name, t.URL, t.WorkspaceID)
			console.Table(w, []string{"  data", t.DBFS, "dbfs:/ and /dbfs/"}, [][]string{
				{"", t.Volumes, "/Volumes/"},
				{"  notebooks", t.Workspace, "/Workspace/"},
				{"  token", t.TokenFile},
			})
		}
		console.Table(w, []string{"MLflow", status.MLflow, `reached through each workspace: eval "$(barge sandbox env WORKSPACE)"`}, [][]string{
			{"log", status.Log},
		})
		for _, d := range copied {
			fmt.Fprintf(w, "%s of workspace %s: %d of %d files copied, %d bytes in all\n", d.Path, d.Workspace, d.Fresh, d.Files, d.Bytes)
		}
	})
}

func sandboxDown(h *house) *cli.Command {
	return &cli.Command{
		Name:  "down",
		Usage: "stop the sandbox and all that it started; its state is kept",
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			status, err := sandbox.Down(c.Context, h.sandboxDir())
			if err != nil {
				return err
			}
			return h.print(map[string]any{"was_running": status.Running}, func(w io.Writer) {
				if status.Running {
					fmt.Fprintln(w, "the sandbox is down")
				} else {
					fmt.Fprintln(w, "the sandbox was not running")
				}
			})
		},
	}
}

func sandboxStatus(h *house) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show the twins: addresses, ids, where their tokens are",
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			status, err := sandbox.Look(h.sandboxDir())
			if err != nil {
				return err
			}
			return h.printSandbox(status, nil)
		},
	}
}

func sandboxReset(h *house) *cli.Command {
	return &cli.Command{
		Name:  "reset",
		Usage: "wipe the state of the twins: all of them, or those named",
		Flags: []cli.Flag{workspaceFlag()},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			names := c.StringSlice("workspace")
			if err := sandbox.Reset(c.Context, h.sandboxDir(), names...); err != nil {
				return err
			}
			return h.print(map[string]any{"reset": append([]string{}, names...)}, func(w io.Writer) {
				fmt.Fprintln(w, "the sandbox is as new")
			})
		},
	}
}

func sandboxEnv(h *house) *cli.Command {
	return &cli.Command{
		Name:      "env",
		Usage:     `print what other clients need to reach a twin: eval "$(barge sandbox env dev)"`,
		ArgsUsage: "WORKSPACE",
		Action: func(c *cli.Context) error {
			if err := positionals(c, "WORKSPACE"); err != nil {
				return err
			}
			status, err := sandbox.Look(h.sandboxDir())
			if err != nil {
				return err
			}
			twin, ok := status.Twin(c.Args().First())
			if !ok {
				var names []string
				for _, t := range status.Twins {
					names = append(names, t.Name)
				}
				slices.Sort(names)
				return &hintedError{fmt.Errorf("the sandbox has no workspace %q", c.Args().First()), "it has " + cmp.Or(list(names), "-") + "; barge sandbox up --workspace NAME adds one"}
			}
			vars := map[string]string{"DATABRICKS_HOST": twin.URL, "DATABRICKS_TOKEN_FILE": twin.TokenFile, "DATABRICKS_AUTH_TYPE": "pat"}
			return h.print(map[string]any{"env": vars}, func(w io.Writer) {
				// The token is read by the shell that asks for it, and stands in no output of ours.
				fmt.Fprintf(w, "export DATABRICKS_HOST=%s\nexport DATABRICKS_TOKEN=\"$(cat '%s')\"\nexport DATABRICKS_AUTH_TYPE=pat\n", twin.URL, twin.TokenFile)
			})
		},
	}
}

func sandboxServe(h *house) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the sandbox in the foreground",
		Flags: []cli.Flag{workspaceFlag(), &cli.DurationFlag{Name: "idle", Usage: "end after so long without a request: `DURATION`"}},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			names, err := h.twinNames(c)
			if err != nil {
				return err
			}
			return sandbox.Serve(c.Context, sandbox.Config{Dir: h.sandboxDir(), Workspaces: names, Progress: h.console.Err}, c.Duration("idle"))
		},
	}
}
