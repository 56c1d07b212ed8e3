package deploy

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Problem is one thing that must be set right first.
type Problem struct {
	Where string // "stack", "parameters.BankUrl", "figures"
	What  string
	Fix   string
}

// String is the problem on one line.
func (p Problem) String() string { return p.Where + ": " + p.What + ". " + p.Fix }

// found collects problems.
type found []Problem

func (f *found) say(where, what, fix string) { *f = append(*f, Problem{where, what, fix}) }

// Rulebook is what a region is checked against.
type Rulebook struct {
	Book *policy.Book
	Tree *division.Tree
	Day  civil.Day
}

// Check finds everything wrong with r that can be seen without an account. root
// is the repository, with the zips of the functions in dist/.
func Check(root fs.FS, r Region, rules Rulebook) []Problem {
	var f found
	f.names(r)
	f.figures(r, rules)
	form, err := readForm(root)
	if err != nil {
		f.say("template", err.Error(), "Mend the template: make check shows the same.")
		return f
	}
	f.parameters(r, form)
	f.rail(r, form)
	f.production(r)
	f.samconfig(root, r)
	f.buckets(root)
	f.zips(root, r, form)
	return f
}

var (
	stackForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{2,40}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-gov)?-[a-z]+-[0-9]$`)
	bucketForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// blank reports what stands in a file until somebody knows better.
func blank(s string) bool {
	low := strings.ToLower(s)
	for _, word := range []string{"待填", "待当地", "example", "changeme", "todo", "placeholder", "xxx", "wx0000"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return s == "" || strings.Trim(s, "0") == "" && len(s) > 1
}

// partitionOf is where an AWS region is.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.Contains(region, "-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (f *found) names(r Region) {
	for _, c := range []struct{ where, value, fix string }{
		{"account", r.Account, "Write the number of the AWS account, twelve digits."},
		{"artifacts", r.Artifacts, "Write the name of a private bucket of that account and region."},
	} {
		if blank(c.value) {
			f.say(c.where, fmt.Sprintf("%q is no value yet", c.value), c.fix)
		}
	}
	if !blank(r.Account) && !accountForm.MatchString(r.Account) {
		f.say("account", "is not twelve digits", "Write the number of the AWS account.")
	}
	if !blank(r.Artifacts) && !bucketForm.MatchString(r.Artifacts) {
		f.say("artifacts", fmt.Sprintf("%q cannot be the name of a bucket", r.Artifacts), "Write the name of a private bucket.")
	}
	if !stackForm.MatchString(r.Stack) {
		f.say("stack", fmt.Sprintf("%q cannot be the name of a stack", r.Stack), "Write 3 to 41 of a-z, 0-9 and -, a letter first.")
	}
	china := r.AWSRegion == "cn-north-1" || r.AWSRegion == "cn-northwest-1"
	if !regionForm.MatchString(r.AWSRegion) || strings.HasPrefix(r.AWSRegion, "cn-") && !china {
		f.say("aws_region", fmt.Sprintf("%q is no AWS region", r.AWSRegion), "In China write cn-north-1 or cn-northwest-1.")
	} else if want := partitionOf(r.AWSRegion); r.Partition != want {
		f.say("partition", fmt.Sprintf("%s is in %s, not in %q", r.AWSRegion, want, r.Partition), "Set one of the two right: data of one partition never reaches the other.")
	}
}

// figures: a region without rules pays nobody, and one with figures that the
// authority has not confirmed pays everybody wrongly.
func (f *found) figures(r Region, rules Rulebook) {
	code := r.parameter("Division")
	served := civil.DivisionCode(code + "000000")
	if _, known := rules.Tree.Find(served, rules.Day); !known {
		f.say("parameters.Division", fmt.Sprintf("%q is not a region this version ships", code), "Write its six digits; shared/division has the list.")
		return
	}
	var any bool
	for _, one := range rules.Book.All() {
		if !rules.Tree.Within(one.Region(), served, rules.Day) {
			continue
		}
		any = any || !rules.Day.Before(one.FirstDay())
		if r.parameter("Stage") != "prod" {
			continue
		}
		for _, name := range one.Unconfirmed() {
			f.say("figures", fmt.Sprintf("%s from %s: %s is unconfirmed", one.Region(), one.FirstDay(), name),
				"Have the authority confirm it in writing and mark it so, or deploy with Stage dev.")
		}
	}
	if !any {
		f.say("figures", "no rules of "+code+" are in force today", "Add a file to shared/policy/data/"+code+".")
	}
}

// form is the part of the template that says what may be given to it.
type form struct {
	template   *doudi.Template
	Parameters map[string]parameterForm `yaml:"Parameters"`
}

type parameterForm struct {
	Type           string   `yaml:"Type"`
	Default        *string  `yaml:"Default"`
	AllowedPattern string   `yaml:"AllowedPattern"`
	AllowedValues  []string `yaml:"AllowedValues"`
	MinValue       *int     `yaml:"MinValue"`
	MaxValue       *int     `yaml:"MaxValue"`
}

func readForm(root fs.FS) (form, error) {
	var out form
	raw, err := fs.ReadFile(root, doudi.Root)
	if err == nil {
		err = yaml.Unmarshal(raw, &out)
	}
	if err == nil {
		out.template, err = doudi.Parse(root)
	}
	return out, err
}

func (f *found) parameters(r Region, form form) {
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		if _, known := form.Parameters[name]; !known {
			f.say("parameters."+name, "template.yaml has no such parameter", "Take it out, or set its name right.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(form.Parameters)) {
		f.parameter("parameters."+name, r, name, form.Parameters[name])
	}
}

func (f *found) parameter(where string, r Region, name string, p parameterForm) {
	if _, given := r.Parameters[name]; !given {
		if p.Default == nil {
			f.say(where, "is missing", "Write it; template.yaml says what it is.")
		}
		return
	}
	value := r.parameter(name)
	if blank(value) && (p.Default == nil || *p.Default != value) {
		f.say(where, fmt.Sprintf("%q is no value yet", value), "Write the real one.")
		return
	}
	if p.AllowedPattern != "" && !regexp.MustCompile("^(?:"+p.AllowedPattern+")$").MatchString(value) {
		f.say(where, fmt.Sprintf("%q is not of the form %s", value, p.AllowedPattern), "Set it right.")
	}
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value) {
		f.say(where, fmt.Sprintf("%q is not one of %s", value, strings.Join(p.AllowedValues, ", ")), "Write one of them.")
	}
	if p.Type != "Number" {
		return
	}
	switch n, err := strconv.Atoi(value); {
	case err != nil:
		f.say(where, fmt.Sprintf("%q is not a whole number", value), "Write digits.")
	case p.MinValue != nil && n < *p.MinValue:
		f.say(where, fmt.Sprintf("%d is too low", n), fmt.Sprintf("Write at least %d.", *p.MinValue))
	case p.MaxValue != nil && n > *p.MaxValue:
		f.say(where, fmt.Sprintf("%d is too high", n), fmt.Sprintf("Write at most %d.", *p.MaxValue))
	}
}

// rail: the cap on payments sent at once is all that keeps below the rate the
// bank takes, because a message is one call and calls follow each other.
func (f *found) rail(r Region, form form) {
	if r.Rail.CallsPerSecond < 1 || r.Rail.FastestCallMS < 1 {
		f.say("rail", "says not how many calls the bank takes in a second and how quick its quickest is", "Write calls_per_second and fastest_call_ms as agreed with the bank.")
		return
	}
	at := form.template.Functions["pay"].Parallel
	if n, err := strconv.Atoi(r.parameter("RailConcurrency")); err == nil {
		at = n
	}
	if rate := at * 1000 / r.Rail.FastestCallMS; rate > r.Rail.CallsPerSecond {
		f.say("parameters.RailConcurrency", fmt.Sprintf("%d at once, each in %d ms, are %d calls a second; the bank takes %d", at, r.Rail.FastestCallMS, rate, r.Rail.CallsPerSecond),
			fmt.Sprintf("Write at most %d.", r.Rail.CallsPerSecond*r.Rail.FastestCallMS/1000))
	}
}

// samconfig: the SAM CLI takes the stack and the region from a file of its own.
func (f *found) samconfig(root fs.FS, r Region) {
	var all map[string]any
	raw, err := fs.ReadFile(root, "samconfig.toml")
	if err == nil {
		err = toml.Unmarshal(raw, &all)
	}
	if err != nil {
		f.say("samconfig.toml", err.Error(), "Put it back.")
		return
	}
	at := func(m map[string]any, key string) map[string]any { in, _ := m[key].(map[string]any); return in }
	have := at(at(at(all, r.Name), "deploy"), "parameters")
	if have["stack_name"] != r.Stack || have["region"] != r.AWSRegion {
		f.say("samconfig.toml", fmt.Sprintf("[%s.deploy.parameters] is not of stack %s in %s", r.Name, r.Stack, r.AWSRegion), "Write both as in the file of the region.")
	}
}

// production holds what only matters when the people are real.
func (f *found) production(r Region) {
	if certificate := r.parameter("CertificateArn"); certificate != "" && !blank(certificate) &&
		!strings.HasPrefix(certificate, "arn:"+r.Partition+":acm:"+r.AWSRegion+":") {
		f.say("parameters.CertificateArn", "is not a certificate of "+r.AWSRegion, "Take one of this region and partition.")
	}
	if name := r.parameter("DomainName"); r.parameter("WxPay") == "yes" && (name == "" || blank(name)) {
		f.say("parameters.WxPay", "WeChat Pay calls back to a name of our own, and there is none", "Write DomainName and CertificateArn, or leave WxPay at no.")
	}
	if (r.parameter("DomainName") == "") != (r.parameter("CertificateArn") == "") {
		f.say("parameters.DomainName", "a name and its certificate go together", "Write both or neither.")
	}
	if (r.parameter("RestoredTable") == "") != (r.parameter("RestoredStream") == "") {
		f.say("parameters.RestoredTable", "a restored table and its stream go together", "Write both or neither.")
	}
	if r.parameter("Stage") != "prod" {
		return
	}
	if r.Partition != "aws-cn" {
		f.say("partition", "people of a mainland division may not have their data outside mainland China", "Deploy prod in cn-north-1 or cn-northwest-1 (个人信息保护法第四十条); elsewhere only dev with invented people.")
	}
	if blank(r.Filing) || blank(r.parameter("DomainName")) {
		f.say("icp_filing", "in China an API without an ICP filing and a name of its own answers nobody", "Write the number of the filing, DomainName and CertificateArn.")
	}
	if blank(r.parameter("AlarmEmail")) {
		f.say("parameters.AlarmEmail", "nobody is told when an alarm rings", "Write an address that is read day and night.")
	}
}

// buckets: no bucket of the stack may ever be public.
func (f *found) buckets(root fs.FS) {
	names, err := fs.Glob(root, "infra/*.yaml")
	if err != nil {
		f.say("template", err.Error(), "Mend the template.")
	}
	for _, name := range append(names, doudi.Root) {
		var doc struct {
			Resources map[string]struct {
				Type       string `yaml:"Type"`
				Properties struct {
					Block map[string]bool `yaml:"PublicAccessBlockConfiguration"`
					ACL   string          `yaml:"AccessControl"`
				} `yaml:"Properties"`
			} `yaml:"Resources"`
		}
		raw, err := fs.ReadFile(root, name)
		if err != nil {
			f.say(name, err.Error(), "Put the file back.")
			continue
		}
		if !bytes.Contains(raw, []byte("AWS::S3::Bucket")) {
			continue
		}
		// What is not a bucket need not fit the shape above; what is one and does not fit has no block.
		_ = yaml.Unmarshal(raw, &doc)
		for id, one := range doc.Resources {
			if one.Type != "AWS::S3::Bucket" {
				continue
			}
			for _, key := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
				if !one.Properties.Block[key] || one.Properties.ACL != "" {
					f.say(name, id+" could become public", "Set all four of PublicAccessBlockConfiguration to true, and no AccessControl.")
					break
				}
			}
		}
	}
}

// zips are there, and built for the machine the stack asks for.
func (f *found) zips(root fs.FS, r Region, form form) {
	arch := r.parameter("Arch")
	if arch == "" {
		arch = "arm64"
	}
	want := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "x86_64": elf.EM_X86_64}[arch]
	for _, name := range slices.Sorted(maps.Keys(form.template.Functions)) {
		file := path.Join("dist", name+".zip")
		have, err := machine(root, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.say(file, "is not there", "Run make build.")
		case err != nil:
			f.say(file, "cannot be read as a program of Lambda: "+err.Error(), "Run make build.")
		case have != want:
			f.say(file, fmt.Sprintf("is built for %s, the stack asks for %s", have, arch), "Run make build, or scripts/build amd64 for x86_64.")
		}
	}
}

// machine is what a zip's bootstrap is built for.
func machine(root fs.FS, name string) (elf.Machine, error) {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, err
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return 0, err
	}
	file, err := z.Open("bootstrap")
	if err != nil {
		return 0, errors.New("it has no bootstrap") // not fs.ErrNotExist: the zip is there
	}
	defer file.Close()
	head := make([]byte, 64)
	if _, err := io.ReadFull(file, head); err != nil {
		return 0, err
	}
	if string(head[:4]) != elf.ELFMAG {
		return 0, errors.New("it is no ELF program")
	}
	return elf.Machine(uint16(head[18]) | uint16(head[19])<<8), nil
}
