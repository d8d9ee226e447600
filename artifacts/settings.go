package artifacts

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"

	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"
)

// settings are keys and values of git's configuration, in their order. They say where a server is and what signs in
// there; what is built depends on none of them.
type settings []setting

type setting struct{ key, value string } // as git config --list has them: section.Sub.Section.name

// settings are what git would take for set in the clone: the user's and the system's files, and what files include, count
// too, since pipelines leave credentials there. Without git to ask it is the clone's own file.
func (r *repository) settings(ctx context.Context) (settings, error) {
	out, err := r.git(ctx, nil, "config", "--list", "--includes", "-z")
	if err != nil {
		own, err := r.config()
		if err != nil {
			return nil, err
		}
		return settingsOf(own), nil
	}
	var all settings
	for line := range strings.SplitSeq(string(out), "\x00") {
		if key, value, _ := strings.Cut(line, "\n"); key != "" {
			all = append(all, setting{key, value})
		}
	}
	return all, nil
}

// git runs git in the repository; it asks nobody anything.
func (r *repository) git(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = r.root, strings.NewReader(string(in))
	cmd.Env = append(slices.DeleteFunc(os.Environ(), namesRepository),
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GCM_INTERACTIVE=never", "LC_ALL=C")
	return cmd.Output()
}

func settingsOf(c *gitconfig.Config) settings {
	var all settings
	for _, section := range c.Sections {
		for _, o := range section.Options {
			all = append(all, setting{strings.ToLower(section.Name + "." + o.Key), o.Value})
		}
		for _, sub := range section.Subsections {
			for _, o := range sub.Options {
				all = append(all, setting{strings.ToLower(section.Name) + "." + sub.Name + "." + strings.ToLower(o.Key), o.Value})
			}
		}
	}
	return all
}

// get is the last value of a key; "" when it has none.
func (s settings) get(key string) string {
	for _, one := range slices.Backward(s) {
		if one.key == key {
			return one.value
		}
	}
	return ""
}

// each calls fn for every section.SUB.name, in order.
func (s settings) each(section, name string, fn func(sub, value string)) {
	for _, one := range s {
		sub, ok := strings.CutPrefix(one.key, section+".")
		if sub, is := strings.CutSuffix(sub, "."+name); ok && is {
			fn(sub, one.value)
		}
	}
}

// remote is the one that git LFS would ask: that of the branch, or the only one, else origin.
func (s settings) remote(branch string) string {
	for _, key := range []string{"remote.lfsdefault", "branch." + branch + ".remote"} {
		if name := s.get(key); name != "" && name != "." {
			return name
		}
	}
	var names []string
	s.each("remote", "url", func(name, _ string) { names = append(names, name) })
	if slices.Sort(names); len(slices.Compact(names)) == 1 {
		return names[0]
	}
	return "origin"
}

// rewrite puts the address for which another is set to stand in its place; of several the one with the longest match.
func (s settings) rewrite(address string) string {
	best, with := "", ""
	s.each("url", "insteadof", func(base, from string) {
		if strings.HasPrefix(address, from) && len(from) > len(best) {
			best, with = from, base
		}
	})
	return with + address[len(best):]
}
