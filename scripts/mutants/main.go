// Mutants changes one operator at a time in the packages of money, authority and
// masking, runs the package's own tests each time, and keeps what nobody noticed
// in docs/mutants.md. It knows how to run gremlins and how to read its answer;
// what a survivor is worth is for people to judge (equivalents.go).
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	gremlins = "github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0"
	kept     = "docs/mutants.json" // what the runs found, by package
	page     = "docs/mutants.md"   // the same for people
)

// packages are those that move money, say who may do what, or hide a person,
// in the order in which a survivor hurts.
var packages = []struct{ dir, why string }{
	{"shared/money", "money: amounts and their arithmetic"},
	{"shared/fund", "money: balances of funds"},
	{"shared/award", "money: what was decided to pay"},
	{"shared/payout", "money: a payment from claim to receipt or return"},
	{"shared/staff", "authority: who may do what"},
	{"shared/redact", "masking: a text that prints as nothing"},
	{"shared/civil", "masking: identity numbers, names and phones as people may see them"},
	{"shared/disclosure", "masking: what the public is told"},
	{"shared/reading", "masking: who looked at whom"},
	{"shared/seal", "masking: sealing of personal data"},
	{"shared/reconciliation", "money: ours against theirs"},
	{"shared/envelope", "authority: standing approvals and what is left of them"},
	{"shared/recovery", "money: what was wrongly paid and comes back"},
	{"shared/policy", "authority: what the rules of a region allow"},
	{"shared/firstaid", "authority: where application, rules and money meet"},
	{"shared/order", "authority: what a second person has to approve"},
	{"shared/acting", "authority: who acts for whom"},
	{"shared/bankfile", "money: files that pay many"},
	{"shared/batch", "money: many payees in one file"},
	{"shared/account", "money: whose account it is"},
	{"shared/brake", "authority: who stops payments and who lets them go"},
}

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(asGo(os.Args[1:]))
	}
	floor := flag.Int("floor", 90, "per cent of the mutants tested that must be killed, and of all mutants that must be tested")
	workers := flag.Int("workers", 2, "how many mutants are tested at a time")
	only := flag.String("only", "", "a file of the package: test its mutants alone, and keep nothing")
	memory := flag.String("memory", "", "a folder that remembers killed mutants: one whose package has not changed but for its tests is not tested again, for whoever is adding tests")
	report := flag.Bool("report", false, "run nothing; write "+page+" again from "+kept)
	flag.Parse()
	if err := run(*floor, *workers, *only, *memory, *report, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(floor, workers int, only, memory string, report bool, dirs []string) error {
	results := map[string]result{}
	if b, err := os.ReadFile(kept); err == nil {
		if err := json.Unmarshal(b, &results); err != nil {
			return fmt.Errorf("%s: %w", kept, err)
		}
	}
	if len(dirs) == 0 {
		for _, p := range packages {
			dirs = append(dirs, p.dir)
		}
	}
	if !report {
		standIn, err := os.MkdirTemp("", "mutants-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(standIn)
		for _, dir := range dirs {
			found, err := unleash(standIn, dir, only, memory, workers)
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			fmt.Println(found.words(dir))
			for _, s := range found.Survivors {
				fmt.Printf("   %s %s:%d:%d %s: %s\n", s.Status, s.File, s.line, s.column, s.Type, s.Code)
			}
			if only != "" {
				continue
			}
			results[dir] = found
			if err := keep(results); err != nil { // after each: what was found is not lost with the next
				return err
			}
		}
	} else if err := keep(results); err != nil {
		return err
	}
	var low error
	for _, dir := range dirs {
		if r, ok := results[dir]; only == "" && (!ok || r.efficacy() < float64(floor) || r.coverage() < float64(floor)) {
			low = errors.Join(low, fmt.Errorf("below %d %%: %s", floor, r.words(dir)))
		}
	}
	return low
}

// keep writes what is known as data and as a page.
func keep(results map[string]result) error {
	b, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(kept, append(b, '\n'), 0o644), os.WriteFile(page, []byte(render(results)), 0o644))
}

// unleash runs gremlins over the package in dir, not over the folders below it,
// with a stand-in for the go command first on its path.
func unleash(standIn, dir, only, memory string, workers int) (result, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	real, err := exec.LookPath("go")
	if err != nil {
		return result{}, err
	}
	link := filepath.Join(standIn, "go")
	if err := os.Symlink(self, link); err != nil && !errors.Is(err, os.ErrExist) {
		return result{}, err
	}
	answer := filepath.Join(standIn, "answer.json")
	// Installed and not run with "go run", which would put the plain go command first on the path.
	install := exec.Command(real, "install", gremlins)
	install.Env, install.Stderr = append(os.Environ(), "GOBIN="+standIn), os.Stderr
	if err := install.Run(); err != nil {
		return result{}, err
	}
	args := []string{"unleash", "--output-statuses", "lct", "--workers", strconv.Itoa(workers), "--timeout-coefficient", "10",
		"--invert-logical", "--invert-loopctrl", "--invert-assignments", "--remove-self-assignments", "--invert-bitwise", "--invert-bwassign",
		"--exclude-files", "/", "--output", answer}
	if only != "" {
		others, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return result{}, err
		}
		for _, o := range others {
			if filepath.Base(o) != only {
				args = append(args, "--exclude-files", "^"+strings.ReplaceAll(filepath.Base(o), ".", `\.`)+"$")
			}
		}
	}
	if err := os.Remove(answer); err != nil && !errors.Is(err, os.ErrNotExist) {
		return result{}, err
	}
	cmd := exec.Command(filepath.Join(standIn, "gremlins"), append(args, "./"+dir)...)
	cmd.Env = append(os.Environ(), "PATH="+standIn+string(os.PathListSeparator)+os.Getenv("PATH"), realGo+"="+real, standInDir+"="+standIn, memoryDir+"="+memory)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // what survives, as it is found
	if err := cmd.Run(); err != nil {
		return result{}, err
	}
	b, err := os.ReadFile(answer)
	if err != nil {
		return result{}, err
	}
	return read(b, dir)
}

// result is what became of the mutants of one package.
type result struct {
	Day        string     `json:"day"`
	Killed     int        `json:"killed"`
	Lived      int        `json:"lived"`
	NotCovered int        `json:"not_covered"`
	TimedOut   int        `json:"timed_out"`
	NotViable  int        `json:"not_viable"`
	Survivors  []survivor `json:"survivors,omitempty"`
}

// survivor is a mutant that no test killed, by the line it changes: numbers of
// lines move with every change, the line itself does not.
type survivor struct {
	File   string `json:"file"`
	Code   string `json:"code"`
	Type   string `json:"type"`
	Status string `json:"status"`

	line, column int
}

// read makes a result of gremlins' answer about the package in dir.
func read(answer []byte, dir string) (result, error) {
	var a struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []struct {
				Type, Status string
				Line, Column int
			}
		}
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return result{}, err
	}
	r := result{Day: time.Now().Format(time.DateOnly)}
	for _, f := range a.Files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			return result{}, err
		}
		code := strings.Split(string(b), "\n")
		for _, m := range f.Mutations {
			switch m.Status {
			case "KILLED":
				r.Killed++
				continue
			case "NOT VIABLE":
				r.NotViable++
				continue
			case "LIVED":
				r.Lived++
			case "NOT COVERED":
				r.NotCovered++
			case "TIMED OUT":
				r.TimedOut++
			default:
				return result{}, fmt.Errorf("%s:%d: gremlins says %q, which this program does not know", f.Name, m.Line, m.Status)
			}
			if m.Line < 1 || m.Line > len(code) {
				return result{}, fmt.Errorf("%s has no line %d", f.Name, m.Line)
			}
			r.Survivors = append(r.Survivors, survivor{f.Name, strings.TrimSpace(code[m.Line-1]), m.Type, m.Status, m.Line, m.Column})
		}
	}
	slices.SortFunc(r.Survivors, func(a, b survivor) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.line-b.line, a.column-b.column, cmp.Compare(a.Type, b.Type))
	})
	return r, nil
}

// efficacy is the share of the mutants that were tested and gave an answer which
// were killed, in per cent. A mutant that hangs is in neither number.
func (r result) efficacy() float64 { return share(r.Killed, r.Killed+r.Lived) }

// coverage is the share of all mutants that a test reaches, in per cent.
func (r result) coverage() float64 {
	reached := r.Killed + r.Lived + r.TimedOut
	return share(reached, reached+r.NotCovered)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func (r result) words(dir string) string {
	return fmt.Sprintf("%s: %d killed, %d lived, %d not covered, %d timed out, %d not viable: efficacy %.1f %%, coverage %.1f %%",
		dir, r.Killed, r.Lived, r.NotCovered, r.TimedOut, r.NotViable, r.efficacy(), r.coverage())
}

// known lists the packages of results: those of the list in its order, then the rest.
func known(results map[string]result) []string {
	var dirs []string
	for _, p := range packages {
		if _, ok := results[p.dir]; ok {
			dirs = append(dirs, p.dir)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(results)) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
