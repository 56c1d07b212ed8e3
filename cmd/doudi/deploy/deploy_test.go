package deploy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/deploy"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

const top = "../../.."

// good is the repository with one region in it that nothing is wrong with, its
// functions "built" for arm64.
const good = `
title = "试验"
stack = "doudi-try"
account = "123456789012"
partition = "aws-cn"
aws_region = "cn-north-1"
profile = "try"
artifacts = "doudi-try-zips"
icp_filing = "苏ICP备12345678号"
[rail]
calls_per_second = 100
fastest_call_ms = 100
[parameters]
Division = "320400"
Stage = "dev"
Arch = "arm64"
WechatAppId = "wx1234567890abcdef"
ExchangeUrl = "https://exchange.changzhou.gov.cn"
BankUrl = "https://line.bank.cn"
SmsUrl = "https://sms.cn"
RailConcurrency = 5
DomainName = "api.changzhou.gov.cn"
CertificateArn = "arn:aws-cn:acm:cn-north-1:123456789012:certificate/1"
AlarmEmail = "night's watch@changzhou.gov.cn"
`

const sam = "[try.deploy.parameters]\nstack_name = \"doudi-try\"\nregion = \"cn-north-1\"\n"

// program is the beginning of an ELF program for a machine.
func program(machine byte) []byte {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[18] = machine
	return head
}

func zipped(t testing.TB, name string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(body)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const arm64, x86 = 0xb7, 0x3e

func repository(t testing.TB) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{"samconfig.toml": {Data: []byte(sam)}, "infra/regions/try.toml": {Data: []byte(good)}}
	stack := doudi.Stack()
	err := fs.WalkDir(stack, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(stack, name)
		files[name] = &fstest.MapFile{Data: raw}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	template, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	for name := range template.Functions {
		files["dist/"+name+".zip"] = &fstest.MapFile{Data: zipped(t, "bootstrap", program(arm64))}
	}
	return files
}

var (
	shipped = sync.OnceValues(policy.Shipped)
	loaded  = sync.OnceValues(doudi.Load)
)

func rulebook(t testing.TB, day string) deploy.Rulebook {
	t.Helper()
	book, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	on, err := civil.ParseDay(day)
	if err != nil {
		t.Fatal(err)
	}
	return deploy.Rulebook{Book: book, Tree: division.Shipped(), Day: on}
}

func TestWhatIsInTheWayIsNamed(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"aws-cn", "aws", "cn-north-1", "ap-southeast-1"}
	for name, c := range map[string]struct {
		file  string   // changed, "" for that of the region
		swaps []string // old, new, …
		day   string
		want  []string // each in a problem of its own
	}{
		"nothing":                         {},
		"figures_unconfirmed":             {swaps: []string{`Stage = "dev"`, `Stage = "prod"`}, want: []string{"first_aid.max_amount_fen is unconfirmed", "dibao_standard is unconfirmed"}},
		"no_rules_in_force":               {day: "2026-06-30", want: []string{"no rules of 320400 are in force"}},
		"region_unknown_to_the_rules":     {swaps: []string{`"320400"`, `"990000"`}, want: []string{"not a region this version ships"}},
		"partition_of_another":            {swaps: []string{`partition = "aws-cn"`, `partition = "aws"`}, want: []string{"cn-north-1 is in aws-cn"}},
		"region_that_china_has_not":       {swaps: []string{`"cn-north-1"`, `"cn-south-1"`}, want: []string{"no AWS region", "samconfig.toml", "CertificateArn"}},
		"people_abroad":                   {swaps: append([]string{`Stage = "dev"`, `Stage = "prod"`}, elsewhere...), want: []string{"outside mainland China", "samconfig.toml"}},
		"production_without_a_name":       {swaps: []string{`Stage = "dev"`, `Stage = "prod"`, "苏ICP备12345678号", "", "night's", "xxx"}, want: []string{"ICP filing", "nobody is told"}},
		"placeholders":                    {swaps: []string{"123456789012\"\np", "000000000000\"\np", "doudi-try-zips", "待填", "line.bank.cn", "bank.example.com"}, want: []string{"account", "artifacts", "parameters.BankUrl"}},
		"account_too_short":               {swaps: []string{`account = "123456789012"`, `account = "1234"`}, want: []string{"not twelve digits"}},
		"names_that_cannot_be":            {swaps: []string{`"doudi-try"`, `"Doudi_Try"`, "doudi-try-zips", "Zips!"}, want: []string{"name of a stack", "name of a bucket", "samconfig"}},
		"missing":                         {swaps: []string{"BankUrl", "BenkUrl"}, want: []string{"parameters.BankUrl: is missing", "BenkUrl: template.yaml has no such"}},
		"not_https":                       {swaps: []string{"https://line", "http://line"}, want: []string{"not of the form"}},
		"not_one_of":                      {swaps: []string{`"arm64"`, `"mips"`}, want: []string{"not one of", "the stack asks for mips"}},
		"cap_too_low":                     {swaps: []string{"RailConcurrency = 5", "RailConcurrency = 1"}, want: []string{"1 is too low"}},
		"cap_no_number":                   {swaps: []string{"RailConcurrency = 5", `RailConcurrency = "many"`}, want: []string{"not a whole number"}},
		"cap_above_the_banks_rate":        {swaps: []string{"RailConcurrency = 5", "RailConcurrency = 11"}, want: []string{"110 calls a second; the bank takes 100"}},
		"cap_above_all":                   {swaps: []string{"RailConcurrency = 5", "RailConcurrency = 51"}, want: []string{"51 is too high", "the bank takes"}},
		"bank_said_nothing":               {swaps: []string{"calls_per_second = 100", "calls_per_second = 0"}, want: []string{"rail: says not"}},
		"wallets_without_a_name":          {swaps: []string{"[parameters]", "[parameters]\nWxPay = \"yes\"", `DomainName = "api.changzhou.gov.cn"`, "", `CertificateArn = "arn:aws-cn:acm:cn-north-1:123456789012:certificate/1"`, ""}, want: []string{"parameters.WxPay: WeChat Pay calls back"}},
		"name_without_certificate":        {swaps: []string{`CertificateArn = "arn:aws-cn:acm:cn-north-1:123456789012:certificate/1"`, ""}, want: []string{"go together"}},
		"restored_table_without_stream":   {swaps: []string{"[parameters]", "[parameters]\nRestoredTable = \"old\""}, want: []string{"a restored table and its stream"}},
		"certificate_of_another_region":   {swaps: []string{"acm:cn-north-1", "acm:cn-northwest-1"}, want: []string{"not a certificate of cn-north-1"}},
		"sam_would_deploy_something_else": {file: "samconfig.toml", swaps: []string{"doudi-try", "doudi-tri"}, want: []string{"not of stack doudi-try"}},
		"sam_file_unreadable":             {file: "samconfig.toml", swaps: []string{"[try", "[[try"}, want: []string{"samconfig.toml"}},
		"public_bucket":                   {file: "infra/data.yaml", swaps: []string{"BlockPublicPolicy: true", "BlockPublicPolicy: false"}, want: []string{"Documents could become public"}},
		"bucket_with_no_block_at_all":     {file: "infra/data.yaml", swaps: []string{"PublicAccessBlockConfiguration", "Tags"}, want: []string{"Documents could become public"}},
		"template_that_cannot_run":        {file: "infra/queues.yaml", swaps: []string{"maxReceiveCount: 5", "maxReceiveCount: 1"}, want: []string{"at least five"}},
		"zip_not_built":                   {file: "dist/pay.zip", want: []string{"dist/pay.zip: is not there"}},
	} {
		files := repository(t)
		file := c.file
		if file == "" {
			file = "infra/regions/try.toml"
		}
		body := string(files[file].Data)
		for i := 0; i < len(c.swaps); i += 2 {
			if !strings.Contains(body, c.swaps[i]) {
				t.Fatalf("%s: the case no longer fits: %s", name, c.swaps[i])
			}
			body = strings.ReplaceAll(body, c.swaps[i], c.swaps[i+1])
		}
		files[file].Data = []byte(body)
		if c.file != "" && len(c.swaps) == 0 {
			delete(files, c.file)
		}
		if c.day == "" {
			c.day = "2026-11-01"
		}
		r, err := deploy.Read(files, "try")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		problems := deploy.Check(files, r, rulebook(t, c.day))
		for _, want := range c.want {
			if !slices.ContainsFunc(problems, func(p deploy.Problem) bool { return strings.Contains(p.String(), want) }) {
				t.Errorf("%s: nothing says %q in %v", name, want, problems)
			}
		}
		if len(c.want) == 0 && len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, p := range problems {
			if p.Fix == "" || p.What == "" || p.Where == "" {
				t.Errorf("%s: %+v says not what to do", name, p)
			}
		}
	}
}

func TestZipsMustRunThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zip  []byte
		want string
	}{
		"other_machine": {zipped(t, "bootstrap", program(x86)), "is built for EM_X86_64"},
		"no_bootstrap":  {zipped(t, "main", program(arm64)), "no bootstrap"},
		"no_program":    {zipped(t, "bootstrap", bytes.Repeat([]byte("#!"), 64)), "no ELF"},
		"cut_short":     {zipped(t, "bootstrap", []byte("x")), "EOF"},
		"no_zip":        {[]byte("x"), "not a valid zip"},
	} {
		files := repository(t)
		files["dist/apply.zip"].Data = c.zip
		r, err := deploy.Read(files, "try")
		if err != nil {
			t.Fatal(err)
		}
		problems := deploy.Check(files, r, rulebook(t, "2026-11-01"))
		if len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	files := repository(t)
	for name, body := range map[string]string{"typo": "acount = 1\n", "wrong_type": "account = 1\n", "no_toml": "[\n"} {
		files["infra/regions/try.toml"].Data = []byte(body)
		if _, err := deploy.Read(files, "try"); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for _, name := range []string{"gone", "", "../regions/try", "try.toml"} {
		if _, err := deploy.Read(files, name); !errors.Is(err, deploy.ErrUnknown) || !strings.Contains(err.Error(), "try") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What is shipped is complete but for what only the operator knows.
func TestShippedRegionsLackOnlyWhatTheOperatorKnows(t *testing.T) {
	t.Parallel()
	root := os.DirFS(top)
	names, err := deploy.Names(root)
	if err != nil || len(names) < 4 {
		t.Fatalf("%v %v", names, err)
	}
	partitions := map[string]bool{}
	for _, name := range names {
		r, err := deploy.Read(root, name)
		if err != nil {
			t.Error(err)
			continue
		}
		partitions[r.Partition] = true
		for _, p := range deploy.Check(root, r, rulebook(t, "2026-11-01")) {
			if !strings.Contains(p.What, "待填") && !strings.HasPrefix(p.Where, "dist/") {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
	if !partitions["aws"] || !partitions["aws-cn"] {
		t.Errorf("only %v", partitions)
	}
}

// answers of the stand-in AWS CLI; it writes down how it was called.
const fake = `#!/bin/sh
echo "$(basename "$0") $*" >>"$DOUDI_TEST_CALLS"
case "$*" in
*get-caller-identity*) cat "$DOUDI_TEST_ANSWERS/who" ;;
*get-account-settings*) cat "$DOUDI_TEST_ANSWERS/limits" ;;
*get-public-access-block*) cat "$DOUDI_TEST_ANSWERS/block" ;;
*describe-stacks*--query*) echo outputs ;;
*describe-stacks*) cat "$DOUDI_TEST_ANSWERS/stack" ;;
*"cloudformation deploy"*|*"sam deploy"*) [ ! -e "$DOUDI_TEST_ANSWERS/fail" ] || { echo "Failed to create" >&2; exit 9; } ;;
esac
`

type stage struct{ root, calls, answers string }

// begin puts a repository on disk and stand-ins of the tools on PATH.
func begin(t *testing.T, tools ...string) stage {
	t.Helper()
	dir := t.TempDir()
	s := stage{root: filepath.Join(dir, "root"), calls: filepath.Join(dir, "calls"), answers: filepath.Join(dir, "answers")}
	if err := os.CopyFS(s.root, repository(t)); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	for name, body := range map[string]string{
		"who":    `{"Account": "123456789012", "Arn": "arn:aws-cn:iam::123456789012:user/op"}`,
		"limits": `{"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}}`,
		"block":  `{"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}}`,
		"stack":  `{"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}`,
	} {
		s.answer(t, name, body)
	}
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools {
		if err := os.WriteFile(filepath.Join(bin, tool), []byte(fake), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	t.Setenv("DOUDI_TEST_CALLS", s.calls)
	t.Setenv("DOUDI_TEST_ANSWERS", s.answers)
	return s
}

func (s stage) answer(t *testing.T, name, body string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(s.answers, 0o700), os.WriteFile(filepath.Join(s.answers, name), []byte(body), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (s stage) called() string {
	raw, _ := os.ReadFile(s.calls) // none is no calls
	return string(raw)
}

func (s stage) deploy(t *testing.T, o deploy.Options) (string, error) {
	t.Helper()
	o.Root = s.root
	if o.Region == "" {
		o.Region = "try"
	}
	var said bytes.Buffer
	err := deploy.Deploy(t.Context(), o, rulebook(t, "2026-11-01"), io.Discard, &said)
	return said.String(), err
}

func TestDeploysWithEither(t *testing.T) {
	for _, c := range []struct {
		tools []string
		with  string
		want  []string
		never string
	}{
		{[]string{"aws", "sam"}, "", []string{"sam deploy --template-file template.yaml --config-file samconfig.toml --config-env try --s3-bucket doudi-try-zips", "BankUrl=https://line.bank.cn", "night's watch@"}, "cloudformation package"},
		{[]string{"aws"}, "", []string{"cloudformation package --template-file template.yaml", "cloudformation deploy --template-file dist/packaged.yaml --stack-name doudi-try", "CAPABILITY_AUTO_EXPAND", "Stage=dev"}, "sam "},
		{[]string{"aws", "sam"}, "aws", []string{"--region cn-north-1 --profile try", "cloudformation deploy"}, "sam "},
	} {
		s := begin(t, c.tools...)
		if said, err := s.deploy(t, deploy.Options{With: c.with}); err != nil {
			t.Fatalf("%v: %v\n%s", c.tools, err, said)
		}
		calls := s.called()
		for _, want := range append(c.want, "sts get-caller-identity", "--enable-termination-protection") {
			if !strings.Contains(calls, want) {
				t.Errorf("%v %q: nobody called %s:\n%s", c.tools, c.with, want, calls)
			}
		}
		if strings.Contains(calls, c.never) {
			t.Errorf("%v: %s was called", c.tools, c.never)
		}
		if strings.Index(calls, "get-public-access-block") > strings.Index(calls, " deploy ") {
			t.Error("it deployed first and looked afterwards")
		}
	}
}

// makes are the calls that make or change something.
func makes(calls string) bool {
	return strings.Contains(calls, " package ") || strings.Contains(calls, " deploy ") || strings.Contains(calls, "termination")
}

func TestNothingIsMadeWhenSomethingIsInTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		answer, body string
		want         string
	}{
		"other_partition":   {"who", `{"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/op"}`, "are of partition aws"},
		"other_account":     {"who", `{"Account": "210987654321", "Arn": "arn:aws-cn:iam::210987654321:user/op"}`, "are of account 210987654321"},
		"nobody":            {"who", "", "cannot say who calls"},
		"no_room":           {"limits", `{"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}`, "room for 10"},
		"limits_unreadable": {"limits", "?", "concurrency"},
		"bucket_open":       {"block", `{"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "BlockPublicPolicy": false}}`, "may be public"},
		"bucket_not_there":  {"block", "", "is not closed"},
		"first_try_failed":  {"stack", `{"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}`, "cannot be updated"},
		"still_under_way":   {"stack", `{"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]}`, "is UPDATE_IN_PROGRESS"},
	} {
		s := begin(t, "aws")
		s.answer(t, c.answer, c.body)
		said, err := s.deploy(t, deploy.Options{})
		if !errors.Is(err, deploy.ErrProblems) || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		if makes(s.called()) {
			t.Errorf("%s: made something:\n%s", name, s.called())
		}
	}
}

func TestLookingAndDryRunsMakeNothing(t *testing.T) {
	s := begin(t, "aws")
	for _, o := range []deploy.Options{{Check: true}, {DryRun: true}, {Check: true, Offline: true}, {DryRun: true, Offline: true, With: "sam"}} {
		if said, err := s.deploy(t, o); err != nil {
			t.Errorf("%+v: %v\n%s", o, err, said)
		}
	}
	if makes(s.called()) {
		t.Errorf("made something:\n%s", s.called())
	}
	if _, err := s.deploy(t, deploy.Options{Offline: true}); err == nil {
		t.Error("deployed without asking the account")
	}
	if _, err := s.deploy(t, deploy.Options{With: "terraform"}); err == nil {
		t.Error("deployed with a tool it does not know")
	}
	if _, err := s.deploy(t, deploy.Options{Region: "atlantis"}); !errors.Is(err, deploy.ErrUnknown) {
		t.Errorf("atlantis: %v", err)
	}
	if said, err := s.deploy(t, deploy.Options{With: "sam", Check: true}); !errors.Is(err, deploy.ErrProblems) || !strings.Contains(said, "not installed") {
		t.Errorf("without sam: %v %s", err, said)
	}
	s.answer(t, "fail", "")
	if _, err := s.deploy(t, deploy.Options{}); err == nil || errors.Is(err, deploy.ErrProblems) {
		t.Errorf("a failed deploy is told as %v", err)
	}
	if strings.Contains(s.called(), "termination") {
		t.Error("it went on after the deploy had failed")
	}
}

func TestLinesCanBeTyped(t *testing.T) {
	t.Parallel()
	out, err := deploy.Runner{}.Output(context.Background(), []string{"/bin/sh", "-c", "printf '%s|' " + deploy.Line([]string{"a b", "it's", "", "$HOME", "x=y"})})
	if err != nil || string(out) != "a b|it's||$HOME|x=y|" {
		t.Errorf("%q %v", out, err)
	}
}
