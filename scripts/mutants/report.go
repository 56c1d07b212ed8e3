package main

import (
	"fmt"
	"strings"
)

// render writes what is known as a page: a table, then every survivor with the
// reason why nothing can kill it, or the admission that nothing does.
func render(results map[string]result) string {
	var b strings.Builder
	b.WriteString(`# Mutants

` + "`make mutants`" + ` writes this page (` + "`make mutants ONLY=shared/fund`" + ` its row for one package; the data are in mutants.json). It changes one operator at a time in the packages that move money, say who may do what, or hide a person, with [gremlins](https://github.com/go-gremlins/gremlins), and runs that package's own tests (the short ones): a change that no test notices *lived*. It fails when a package is below 90 % in either column of per cent.

What counts: *efficacy* is killed ÷ (killed + lived), *coverage* is reached by a test ÷ all that compile. A mutant that hangs is in the second and not in the first; a mutant that does not compile is in neither, though gremlins alone would call it killed. All kinds of mutant that gremlins knows are on. Expressions of a ` + "`case`" + ` and declarations outside of functions are mutated too, though Go's coverage profile does not have them. Equivalent mutants count as lived.

| package | why it is here | killed | lived | not covered | timed out | efficacy % | coverage % | run |
|---|---|--:|--:|--:|--:|--:|--:|---|
`)
	var total result
	for _, dir := range known(results) {
		r, why := results[dir], ""
		for _, p := range packages {
			if p.dir == dir {
				why = p.why
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %.1f | %.1f | %s |\n", dir, why, r.Killed, r.Lived, r.NotCovered, r.TimedOut, r.efficacy(), r.coverage(), r.Day)
		total.Killed += r.Killed
		total.Lived += r.Lived
		total.NotCovered += r.NotCovered
		total.TimedOut += r.TimedOut
	}
	fmt.Fprintf(&b, "| together | | %d | %d | %d | %d | %.1f | %.1f | |\n", total.Killed, total.Lived, total.NotCovered, total.TimedOut, total.efficacy(), total.coverage())
	var missing []string
	for _, p := range packages {
		if _, ok := results[p.dir]; !ok {
			missing = append(missing, p.dir)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(&b, "\nNot run yet: %s.\n", strings.Join(missing, ", "))
	}
	b.WriteString("\n## What lived, was not reached, or hung\n")
	for _, dir := range known(results) {
		if len(results[dir].Survivors) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", dir)
		for _, s := range results[dir].Survivors {
			fmt.Fprintf(&b, "- %s, %s: `%s` %s. %s\n", s.File, kind(s.Type), asText.Replace(s.Code), strings.ToLower(s.Status), reason(dir+"/"+s.File, s))
		}
	}
	return b.String()
}

// asText is for code that stands in a page: between back quotes, and not a link
// where the code has a call after an index.
var asText = strings.NewReplacer("`", "'", "](", "] (")

// kind is a type of mutant as people say it.
func kind(t string) string { return strings.ToLower(strings.ReplaceAll(t, "_", " ")) }

// reason says why nothing can kill a survivor, if somebody found out.
func reason(file string, s survivor) string {
	for _, e := range equivalents {
		if e.file == file && e.code == s.Code && e.mutant == s.Type {
			return "Equivalent: " + e.why
		}
	}
	return "Open."
}
