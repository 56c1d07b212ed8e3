package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tool is the program that deploys.
type Tool string

// The tools.
const (
	SAM Tool = "sam"
	AWS Tool = "aws"
)

// packaged is where the template with the addresses of the zips is written.
const packaged = "dist/packaged.yaml"

// Plan are the commands that deploy r, in order.
func Plan(r Region, tool Tool) [][]string {
	var given []string
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		given = append(given, fmt.Sprintf("%s=%s", name, r.parameter(name)))
	}
	var commands [][]string
	if tool == SAM {
		sam := []string{"sam", "deploy", "--template-file", "template.yaml", "--config-file", "samconfig.toml", "--config-env", r.Name,
			"--s3-bucket", r.Artifacts, "--s3-prefix", r.Stack, "--no-confirm-changeset", "--no-fail-on-empty-changeset"}
		if r.Profile != "" {
			sam = append(sam, "--profile", r.Profile)
		}
		commands = append(commands, append(append(sam, "--parameter-overrides"), given...))
	} else {
		commands = append(commands,
			awsCommand(r, "cloudformation", "package", "--template-file", "template.yaml", "--s3-bucket", r.Artifacts, "--s3-prefix", r.Stack, "--output-template-file", packaged),
			append(awsCommand(r, "cloudformation", "deploy", "--template-file", packaged, "--stack-name", r.Stack, "--s3-bucket", r.Artifacts, "--s3-prefix", r.Stack,
				"--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-fail-on-empty-changeset", "--parameter-overrides"), given...))
	}
	return append(commands,
		awsCommand(r, "cloudformation", "update-termination-protection", "--stack-name", r.Stack, "--enable-termination-protection"),
		awsCommand(r, "cloudformation", "describe-stacks", "--stack-name", r.Stack, "--query", "Stacks[0].Outputs", "--output", "table"))
}

// awsCommand is one call of the AWS CLI in the region of r.
func awsCommand(r Region, args ...string) []string {
	out := []string{"aws", "--region", r.AWSRegion}
	if r.Profile != "" {
		out = append(out, "--profile", r.Profile)
	}
	if !slices.Contains(args, "--output") {
		out = append(out, "--output", "json")
	}
	return append(out, args...)
}

// Line is a command as one would type it.
func Line(command []string) string {
	words := make([]string, len(command))
	for i, w := range command {
		if words[i] = w; w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
