package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/doudi-aid/doudi"
)

// Runner runs programs in the repository.
type Runner struct {
	Dir      string
	Out, Err io.Writer
}

// Output runs a command and gives back what it wrote; when it fails, the error
// has the last line it wrote of why.
func (r Runner) Output(ctx context.Context, command []string) ([]byte, error) {
	var why bytes.Buffer
	c := r.command(ctx, command)
	c.Stderr = &why
	out, err := c.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(why.String()), "\n")
		return nil, fmt.Errorf("%w %s", err, lines[len(lines)-1])
	}
	return out, nil
}

// Run runs a command that says itself what it does.
func (r Runner) Run(ctx context.Context, command []string) error {
	c := r.command(ctx, command)
	c.Stdout, c.Stderr = r.Out, r.Err
	return c.Run()
}

func (r Runner) command(ctx context.Context, command []string) *exec.Cmd {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir = r.Dir
	return c
}

// Pick is the tool to deploy with: wanted, or the SAM CLI where there is one.
func Pick(wanted string) (Tool, error) {
	switch Tool(wanted) {
	case SAM, AWS:
		if _, err := exec.LookPath(wanted); err != nil {
			return Tool(wanted), fmt.Errorf("deploy: %s is not installed", wanted)
		}
		return Tool(wanted), nil
	case "":
		if _, err := exec.LookPath(string(SAM)); err == nil {
			return SAM, nil
		}
		return Pick(string(AWS))
	}
	return "", fmt.Errorf("deploy: -with is sam or aws, not %q", wanted)
}

// Options are how to deploy.
type Options struct {
	Root    string // of the repository
	Region  string
	With    string // "sam", "aws", or "" for what there is
	DryRun  bool   // print the commands and make nothing
	Check   bool   // look only
	Offline bool   // do not ask the account; for DryRun and Check
}

// ErrProblems is a deploy that was not begun.
var ErrProblems = errors.New("nothing was created")

// Deploy deploys a region, or says everything that is in the way and makes nothing.
func Deploy(ctx context.Context, o Options, rules Rulebook, out, errs io.Writer) error {
	if o.Offline && !o.DryRun && !o.Check {
		return errors.New("deploy: -offline goes with -dry-run or a look only: what the account says is part of the check")
	}
	root := os.DirFS(o.Root)
	r, err := Read(root, o.Region)
	if err != nil {
		return err
	}
	tool, missing := Pick(o.With)
	if tool == "" {
		return missing
	}
	problems := Check(root, r, rules)
	run := Runner{Dir: o.Root, Out: out, Err: errs}
	if !o.Offline {
		if missing != nil {
			problems = append(problems, Problem{"tools", missing.Error(), "Install the AWS CLI; the SAM CLI is a comfort."})
		} else if t, err := doudi.Parse(root); err == nil { // else Check has said it
			problems = append(problems, CheckAccount(ctx, run, r, t)...)
		}
	}
	for _, p := range problems {
		fmt.Fprintln(errs, "✗", p)
	}
	commands := Plan(r, tool)
	if o.DryRun {
		for _, c := range commands {
			fmt.Fprintln(out, Line(c))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %d problems of %s (%s)", ErrProblems, len(problems), r.Name, r.Title)
	}
	if o.Check || o.DryRun {
		fmt.Fprintf(errs, "✓ %s (%s): nothing is in the way\n", r.Name, r.Title)
		return nil
	}
	for _, c := range commands {
		fmt.Fprintln(errs, "$", Line(c))
		if err := run.Run(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(c[:min(len(c), 6)], " "), err)
		}
	}
	return nil
}
