package doudi_test

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
)

func TestTemplateOfThisProgram(t *testing.T) {
	template, err := doudi.Load()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for name := range template.Functions {
		have = append(have, name)
	}
	slices.Sort(have)
	folders, err := filepath.Glob("functions/*/lambda")
	if err != nil {
		t.Fatal(err)
	}
	for i := range folders {
		folders[i] = filepath.Base(filepath.Dir(folders[i]))
	}
	if !slices.Equal(have, folders) {
		t.Errorf("the template deploys %v, functions/*/lambda are %v", have, folders)
	}
	if f := template.Functions["pay"]; f.Queue != "pay" || f.Batch != 1 || f.Parallel != 5 || f.Timeout != 30*time.Second {
		t.Errorf("pay is read as %+v", f)
	}
	f := template.Functions["relay"]
	if c := f.Changes; !f.Stream || c.Batch != 100 || c.Parallel != 2 || !c.Bisect || c.Retries != 10 || c.MaxAge != time.Hour || c.Dead != "RelayDead" || len(c.Filters) != 1 {
		t.Errorf("relay reads the stream as %+v", f)
	}
	if f := template.Functions["log"]; !f.Stream || f.Schedule != time.Minute || f.Changes.Parallel != 1 || f.Changes.Dead != "LogDead" || len(f.Changes.Filters) != 1 || len(f.Routes) != 6 {
		t.Errorf("log is read as %+v", f)
	}
	if table, there := f.Settings["DOUDI_TABLE"]; !there || table != "" || f.Settings["GOMEMLIMIT"] != "200MiB" {
		t.Errorf("relay has the settings %v", f.Settings)
	}
	if f := template.Functions["sweep"]; f.Schedule != time.Minute {
		t.Errorf("sweep runs every %s", f.Schedule)
	}
	if q := template.Queues["pay"]; q != (doudi.Queue{Visibility: 3 * time.Minute, MaxReceive: 5, Dead: "PayDead"}) {
		t.Errorf("queue pay is read as %+v", q)
	}
	if _, dead := template.Queues["paydead"]; dead {
		t.Error("a queue of dead letters counts as work")
	}
}

const goodRoot = `
Parameters:
  Sends: {Type: Number, Default: 5}
Resources:
  Queues: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: infra/queues.yaml}}
  Clock: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: infra/clock.yaml, Parameters: {PayArn: !Ref Pay.Alias}}}
  Pay:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: dist/pay.zip
      Timeout: 30
      Events:
        Work: {Type: SQS, Properties: {Queue: !GetAtt Queues.Outputs.PayArn, BatchSize: 1, ScalingConfig: {MaximumConcurrency: !Ref Sends}}}
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /v1/x}}
  Look:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: dist/look.zip
      Timeout: 30
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(2 hours)}}
`

const goodQueues = `
Resources:
  PayQueue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 180, RedrivePolicy: {deadLetterTargetArn: !GetAtt PayDead.Arn, maxReceiveCount: 5}}
  PayDead: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1}}
Outputs:
  PayArn: {Value: !GetAtt PayQueue.Arn}
  DeadArn: {Value: !GetAtt PayDead.Arn}
`

const goodClock = `
Parameters:
  PayArn: {Type: String}
Resources:
  Tick:
    Type: AWS::Events::Rule
    Properties: {ScheduleExpression: rate(5 minutes), Targets: [{Id: pay, Arn: !Ref PayArn}]}
`

func TestTemplatesThatCannotRun(t *testing.T) {
	stack := func(old, becomes string) (fs.FS, bool) {
		files, fits := fstest.MapFS{}, false
		for name, body := range map[string]string{doudi.Root: goodRoot, "infra/queues.yaml": goodQueues, "infra/clock.yaml": goodClock} {
			fits = fits || strings.Contains(body, old)
			files[name] = &fstest.MapFile{Data: []byte(strings.Replace(body, old, becomes, 1))}
		}
		return files, fits
	}
	good, _ := stack("x", "x")
	template, err := doudi.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if f := template.Functions["pay"]; f.Queue != "pay" || f.Parallel != 5 || f.Schedule != 5*time.Minute || template.Functions["look"].Schedule != 2*time.Hour {
		t.Errorf("read as %+v", template.Functions)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"queue_shown_again_too_early": {"VisibilityTimeout: 180", "VisibilityTimeout: 179", "six times"},
		"queue_nobody_reads":          {"Outputs.PayArn, BatchSize", "Outputs.DeadArn, BatchSize", "nobody reads queue pay"},
		"output_that_is_not_there":    {"Outputs.PayArn, BatchSize", "Outputs.PuyArn, BatchSize", "nobody reads queue pay"},
		"too_few_deliveries":          {"maxReceiveCount: 5", "maxReceiveCount: 4", "at least five"},
		"no_timeout":                  {"Timeout: 30", "Memory: 30", "no Timeout"},
		"not_a_zip":                   {"dist/pay.zip", "dist/pay", "not a zip"},
		"unknown_event":               {"Type: HttpApi", "Type: Api", "unknown type"},
		"cron":                        {"rate(5 minutes)", "cron(0 2 * * *)", "not rate"},
		"cron_in_the_function":        {"rate(2 hours)", "cron(0 2 * * *)", "not rate"},
		"seconds":                     {"rate(5 minutes)", "rate(5 seconds)", "not in minutes"},
		"clock_of_nobody":             {"PayArn: !Ref Pay.Alias", "PayArn: !Ref Puy.Alias", "not a function"},
		"two_clocks":                  {"PayArn: !Ref Pay.Alias", "PayArn: !Ref Look.Alias", "two schedules"},
		"route_twice":                 {"Tick: {Type: Schedule, Properties: {Schedule: rate(2 hours)}}", "Again: {Type: HttpApi, Properties: {Method: POST, Path: /v1/x}}", "leads to"},
		"nested_stack_missing":        {"infra/queues.yaml", "infra/gone.yaml", "gone.yaml"},
		"function_in_a_nested_stack":  {"PayDead: {Type: AWS::SQS::Queue", "PayDead: {Type: AWS::Serverless::Function", "stands in the root"},
		"cap_without_a_default":       {"Default: 5", "MinValue: 5", "Work"},
		"not_yaml":                    {"Resources:\n  Pay", "Resources: [\n  Pay", "template:"},
	} {
		files, fits := stack(c.old, c.new)
		if !fits {
			t.Fatalf("%s: the case no longer fits", name)
		}
		if _, err := doudi.Parse(files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stackFiles are the root stack and what is nested in it.
func stackFiles(t *testing.T) []text {
	t.Helper()
	names, err := filepath.Glob("infra/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []text
	for _, name := range append(names, "template.yaml") {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text{name, string(body)})
	}
	return all
}

// A resource is one resource of a stack, its intrinsic functions left as nodes.
type resource struct {
	Type       string               `yaml:"Type"`
	Properties map[string]yaml.Node `yaml:"Properties"`
}

// principal is where a service is named as it is in every partition.
var principal = regexp.MustCompile(`(Service|Principal): (lambda|events|codedeploy)\.amazonaws\.com\b`)

// stackBreaches are what a linter does not see, with the reason of each.
func stackBreaches(f text, identity string) []string {
	var doc struct {
		Resources map[string]resource `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(f.body), &doc); err != nil {
		return []string{f.path + ": " + err.Error()}
	}
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, f.path+": "+fmt.Sprintf(format, args...)) }
	for i, l := range strings.Split(f.body, "\n") {
		if strings.Contains(l, "arn:aws:") {
			say("line %d: a literal arn:aws: does not exist in China", i+1)
		}
		if strings.Contains(principal.ReplaceAllString(l, ""), "amazonaws.com") {
			say("line %d: a literal amazonaws.com does not exist in China", i+1)
		}
	}
	for id, r := range doc.Resources {
		raw, err := yaml.Marshal(r.Properties)
		if err != nil {
			say("%s: %v", id, err)
			continue
		}
		body := string(raw)
		switch r.Type {
		case "AWS::IAM::Role":
			bad = append(bad, putBreaches(f.path+": "+id, statements(r))...)
			for _, s := range statements(r) {
				bad = append(bad, statementBreaches(f.path+": "+id, s)...)
			}
		case "AWS::IAM::ManagedPolicy":
			bad = append(bad, sharedBreaches(f.path+": "+id, r)...)
		case "AWS::Serverless::Function":
			if !strings.Contains(body, "!GetAtt Identity.Outputs."+id+"Role") || !strings.Contains(body, "!GetAtt Identity.Outputs."+id+"Log") ||
				!strings.Contains(identity, "  "+id+"Role: {Value: !GetAtt "+id+"Role.Arn}\n") || !strings.Contains(identity, "  "+id+"Log: {Value: !Ref "+id+"Log}\n") {
				say("%s: a function has its own role and its own log group, declared first, so that neither is made up for it", id)
			}
			if strings.Contains(body, "Policies:") {
				say("%s: SAM policies reach further than a role written by hand", id)
			}
		}
		if strings.Contains(body, "BatchSize") && !strings.Contains(body, "ReportBatchItemFailures") {
			say("%s: without ReportBatchItemFailures one bad message brings back the whole batch", id)
		}
		if strings.Contains(body, "StartingPosition") {
			for _, limit := range []string{"MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "OnFailure"} {
				if !strings.Contains(body, limit) {
					say("%s: a stream mapping without %s lets one poison record block a shard for a day", id, limit)
				}
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// A statement is one line of a role.
type statement struct {
	Effect    string                          `yaml:"Effect"`
	Action    yaml.Node                       `yaml:"Action"`
	Resource  yaml.Node                       `yaml:"Resource"`
	Condition map[string]map[string]yaml.Node `yaml:"Condition"`
}

func statements(r resource) []statement {
	var all []statement
	policies := r.Properties["Policies"]
	var list []struct {
		Document struct {
			Statement []statement `yaml:"Statement"`
		} `yaml:"PolicyDocument"`
	}
	if err := policies.Decode(&list); err != nil {
		return []statement{{Effect: "unreadable: " + err.Error()}}
	}
	for _, p := range list {
		all = append(all, p.Document.Statement...)
	}
	return all
}

// values are the scalars of a node that is one scalar or a list of them.
func values(n yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{n.Value}
	}
	var all []string
	for _, c := range n.Content {
		all = append(all, c.Value)
	}
	return all
}

var allowedActions = regexp.MustCompile(`^(logs:(CreateLogStream|PutLogEvents)|` +
	`dynamodb:(GetItem|BatchGetItem|Query|PutItem|ConditionCheckItem|UpdateItem|DescribeStream|GetRecords|GetShardIterator|ListStreams)|` +
	`sqs:(SendMessage|ReceiveMessage|DeleteMessage|GetQueueAttributes)|kms:(Decrypt|GenerateDataKey)|s3:(PutObject|GetObject)|secretsmanager:GetSecretValue|` +
	`cloudwatch:DescribeAlarms|lambda:(GetAlias|UpdateAlias|GetProvisionedConcurrencyConfig))$`)

func statementBreaches(where string, s statement) []string {
	var bad []string
	if s.Effect != "Allow" && s.Effect != "Deny" {
		bad = append(bad, where+": "+s.Effect)
	}
	for _, r := range values(s.Resource) {
		if slices.Equal(values(s.Action), []string{"cloudwatch:DescribeAlarms"}) {
			r = strings.TrimSuffix(r, ":alarm:*") // CloudWatch knows no narrower right to read alarms
		}
		if strings.Contains(strings.TrimSuffix(strings.TrimSuffix(r, "/document/*"), "/log/*"), "*") || r == "" {
			bad = append(bad, where+": resource "+r+" is more than one thing")
		}
	}
	for _, a := range values(s.Action) {
		if !allowedActions.MatchString(a) {
			bad = append(bad, where+": "+a+" is not among the actions a function may have: nothing is deleted, nothing is scanned")
		}
		if a != "dynamodb:UpdateItem" {
			continue
		}
		// Updates in place are for counters of funds and standing approvals, and apart from them of
		// complaints; an event that could be updated would be a record that can be changed.
		keys := values(s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
		if !slices.Equal(keys, []string{"FUND#*", "ENVELOPES#*"}) && !slices.Equal(keys, []string{"COMPLAINTTALLY#*"}) {
			bad = append(bad, where+": UpdateItem beyond the partitions of funds and standing approvals")
		}
		if s.Condition["Null"]["dynamodb:LeadingKeys"].Value != "false" {
			bad = append(bad, where+": ForAllValues is true of an absent key; the Null condition must stand beside it")
		}
	}
	return bad
}

// putBreaches: IAM cannot say "only where nothing is", but it can keep a function
// out of whole partitions. Whoever may put may still not make anybody staff, and
// whoever is not for money may not put over a fund.
func putBreaches(where string, all []statement) []string {
	var puts, updates bool
	var never []string
	for _, s := range all {
		for _, a := range values(s.Action) {
			puts = puts || a == "dynamodb:PutItem" && s.Effect == "Allow"
			updates = updates || a == "dynamodb:UpdateItem" && s.Effect == "Allow"
			if a == "dynamodb:PutItem" && s.Effect == "Deny" {
				never = append(never, values(s.Condition["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"])...)
			}
		}
	}
	want := []string{"STAFF#*", "KIN#*"}
	if !strings.HasSuffix(where, ": LogRole") { // the evidence log has one writer
		want = append(want, "LOG*", "LEAF#*", "SALT#*")
	}
	if !strings.HasSuffix(where, ": ComplainRole") && !strings.HasSuffix(where, ": SweepRole") { // the counter, and who tells that one is late
		want = append(want, "COMPLAINT*")
	}
	if !updates || strings.HasSuffix(where, ": ComplainRole") { // it moves no counters of funds
		want = append(want, "FUND#*", "ENVELOPES#*", "REF#*", "PAYEE#*")
	}
	if (!updates || strings.HasSuffix(where, ": ComplainRole")) && !strings.HasSuffix(where, "SweepRole") { // which stops payments when reconciliation is blind
		want = append(want, "BRAKE*", "BREAKS#*", "STATEMENT*", "DAYBOOK#*")
	}
	var bad []string
	for _, keys := range want {
		if puts && !slices.Contains(never, keys) {
			bad = append(bad, where+": is not kept from putting over "+keys)
		}
	}
	return bad
}

// sharedBreaches are of a policy that several roles may have: only the one that
// attaches functions to the network, and EC2 alone may know no narrower resource
// than all, to look.
func sharedBreaches(where string, r resource) []string {
	var bad []string
	var doc struct {
		Statement []statement `yaml:"Statement"`
	}
	node := r.Properties["PolicyDocument"]
	if err := node.Decode(&doc); err != nil || len(doc.Statement) == 0 {
		return []string{where + ": unreadable"}
	}
	denied := false
	for _, s := range doc.Statement {
		denied = denied || s.Effect == "Deny" && s.Condition["ArnLike"]["lambda:SourceFunctionArn"].Value != ""
		for _, a := range values(s.Action) {
			if !strings.HasPrefix(a, "ec2:") {
				bad = append(bad, where+": "+a+" belongs in the role of one function")
			}
			if slices.Contains(values(s.Resource), "*") && s.Effect == "Allow" && !strings.HasPrefix(a, "ec2:Describe") {
				bad = append(bad, where+": "+a+" on every resource")
			}
		}
	}
	if !denied {
		bad = append(bad, where+": the functions' own code is not denied what Lambda may do for them")
	}
	return bad
}

// settingNames are the settings whose names are written in the files of dirs; a
// name that ends in _ begins those of all queues.
func settingNames(files []source, dirs ...string) []string {
	var names []string
	for _, f := range files {
		if f.test() || !slices.Contains(dirs, f.dir()) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(l.Value, `"DOUDI_`) {
				names = append(names, strings.Trim(l.Value, `"`))
			}
			return true
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A function has exactly the settings that it reads: one too few stops it at
// start, one too many is a right to know something for nothing.
func TestSettingsAreThoseThatAreRead(t *testing.T) {
	var doc struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				CodeURI     string `yaml:"CodeUri"`
				Environment struct {
					Variables map[string]yaml.Node `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
		Globals struct {
			Function struct {
				Environment struct {
					Variables map[string]yaml.Node `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Function"`
		} `yaml:"Globals"`
	}
	body, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	deps := map[string][]string{}
	for _, p := range list(t) {
		if dir, ours := dirOf(p.ImportPath); ours {
			deps[dir] = p.Deps
		}
	}
	seen := 0
	for id, r := range doc.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		seen++
		main := "functions/" + strings.TrimSuffix(filepath.Base(r.Properties.CodeURI), ".zip") + "/lambda"
		dirs := []string{main}
		for _, d := range deps[main] {
			if dir, ours := dirOf(d); ours {
				dirs = append(dirs, dir)
			}
		}
		var have []string
		for _, variables := range []map[string]yaml.Node{doc.Globals.Function.Environment.Variables, r.Properties.Environment.Variables} {
			for name := range variables {
				if strings.HasPrefix(name, "DOUDI_QUEUE_") {
					name = "DOUDI_QUEUE_"
				}
				if strings.HasPrefix(name, "DOUDI_") {
					have = append(have, name)
				}
			}
		}
		slices.Sort(have)
		read := settingNames(goFiles(t), dirs...)
		// Whoever waits for keys or rules may link code that could read them.
		read = slices.DeleteFunc(read, func(s string) bool { return s == "DOUDI_SEAL_KEY" && !slices.Contains(have, s) })
		// It says how, and is no right to anything: everybody has it, so that no two functions seal differently.
		how := func(s string) bool { return s == "DOUDI_SEAL_ALGORITHM" }
		have, read = slices.DeleteFunc(have, how), slices.DeleteFunc(read, how)
		if have = slices.Compact(have); !slices.Equal(have, read) {
			t.Errorf("%s: has the settings %v and reads %v", id, have, read)
		}
	}
	if seen == 0 {
		t.Error("no functions were looked at")
	}
}

// The table of the template is the one that the store's own tests make.
func TestTableIsThatOfTheStore(t *testing.T) {
	type key struct {
		Name string `yaml:"AttributeName"`
		Kind string `yaml:"KeyType"`
		Type string `yaml:"AttributeType"`
	}
	type shape struct {
		Keys       []key `yaml:"KeySchema"`
		Attributes []key `yaml:"AttributeDefinitions"`
		Indexes    []struct {
			Name       string `yaml:"IndexName"`
			Keys       []key  `yaml:"KeySchema"`
			Projection struct {
				Kind string `yaml:"ProjectionType"`
			} `yaml:"Projection"`
		} `yaml:"GlobalSecondaryIndexes"`
		Stream struct {
			View string `yaml:"StreamViewType"`
		} `yaml:"StreamSpecification"`
	}
	var doc struct {
		Resources map[string]struct {
			Properties shape `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	body, err := os.ReadFile("infra/data.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	have, want := doc.Resources["Table"].Properties, setup.Schema("x")
	keys := func(in []types.KeySchemaElement) (out []key) {
		for _, k := range in {
			out = append(out, key{Name: *k.AttributeName, Kind: string(k.KeyType)})
		}
		return out
	}
	if !slices.Equal(have.Keys, keys(want.KeySchema)) {
		t.Errorf("keys %v, the store has %v", have.Keys, keys(want.KeySchema))
	}
	for i, a := range want.AttributeDefinitions {
		if i >= len(have.Attributes) || have.Attributes[i].Name != *a.AttributeName || have.Attributes[i].Type != string(a.AttributeType) {
			t.Errorf("attribute %s is not defined as the store has it", *a.AttributeName)
		}
	}
	for i, x := range want.GlobalSecondaryIndexes {
		if i >= len(have.Indexes) || have.Indexes[i].Name != *x.IndexName || !slices.Equal(have.Indexes[i].Keys, keys(x.KeySchema)) ||
			have.Indexes[i].Projection.Kind != string(x.Projection.ProjectionType) {
			t.Errorf("index %s is not as the store has it", *x.IndexName)
		}
	}
	if len(have.Indexes) != len(want.GlobalSecondaryIndexes) || len(have.Attributes) != len(want.AttributeDefinitions) {
		t.Errorf("%d indexes and %d attributes, the store has %d and %d", len(have.Indexes), len(have.Attributes), len(want.GlobalSecondaryIndexes), len(want.AttributeDefinitions))
	}
	if have.Stream.View != string(want.StreamSpecification.StreamViewType) {
		t.Errorf("the stream shows %s, the store reads %s", have.Stream.View, want.StreamSpecification.StreamViewType)
	}
}

func TestStacks(t *testing.T) {
	files := stackFiles(t)
	for _, f := range files {
		report(t, "see template_test.go", stackBreaches(f, named(files, "infra/identity.yaml")))
	}
}

func named(files []text, name string) string {
	for _, f := range files {
		if f.path == name {
			return f.body
		}
	}
	return ""
}

// alarmBreaches: every queue of dead letters has an alarm, every alarm has a
// name, a page of that name, and says so.
func alarmBreaches(files []text, pages []string) []string {
	var bad []string
	alarms, have := map[string]bool{}, map[string]bool{}
	var dead []string
	for _, f := range files {
		var doc struct {
			Resources map[string]resource `yaml:"Resources"`
		}
		if err := yaml.Unmarshal([]byte(f.body), &doc); err != nil {
			return []string{f.path + ": " + err.Error()}
		}
		for id, r := range doc.Resources {
			switch {
			case r.Type == "AWS::CloudWatch::Alarm":
				name := strings.ToLower(capital.ReplaceAllString(id, "${1}-${2}"))
				alarms[name] = true
				if got := r.Properties["AlarmName"]; got.Value != "${System}-"+name {
					bad = append(bad, f.path+": "+id+" is called "+got.Value+", not ${System}-"+name)
				}
				if got := r.Properties["AlarmDescription"]; got.Value != "docs/runbooks/"+name+".md" {
					bad = append(bad, f.path+": "+id+" does not lead to docs/runbooks/"+name+".md")
				}
				if got := r.Properties["TreatMissingData"]; got.Value == "" {
					bad = append(bad, f.path+": "+id+" does not say what silence means")
				}
			case r.Type == "AWS::SQS::Queue" && strings.HasSuffix(id, "Dead"):
				dead = append(dead, strings.ToLower(strings.TrimSuffix(id, "Dead"))+"-dead-letters")
			}
		}
	}
	for _, name := range dead {
		if !alarms[name] {
			bad = append(bad, name+": a queue of dead letters without an alarm is a cupboard")
		}
	}
	for _, page := range pages {
		have[page] = true
	}
	for name := range alarms {
		if !have[name] {
			bad = append(bad, "alarm "+name+" has no page docs/runbooks/"+name+".md")
		}
	}
	slices.Sort(bad)
	return bad
}

// The page that an operator looks at shows every alarm there is.
func TestDashboardShowsEveryAlarm(t *testing.T) {
	files := stackFiles(t)
	page := named(files, "infra/dashboard.yaml")
	seen := 0
	for _, f := range files {
		for _, m := range regexp.MustCompile(`AlarmName: !Sub "\$\{System\}-([a-z-]+)"`).FindAllStringSubmatch(f.body, -1) {
			if seen++; !strings.Contains(page, "alarm:${System}-"+m[1]+`"`) {
				t.Errorf("%s: %s is not on the dashboard", f.path, m[1])
			}
		}
	}
	if seen == 0 {
		t.Error("no alarm was looked at")
	}
}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

func TestEveryAlarmHasItsPage(t *testing.T) {
	pages, err := filepath.Glob("docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pages {
		pages[i] = strings.TrimSuffix(filepath.Base(p), ".md")
	}
	report(t, "somebody is woken and stands there without it", alarmBreaches(stackFiles(t), pages))
	const alarm = `
Resources:
  PayDead: {Type: AWS::SQS::Queue}
  PayDeadLetters: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: !Sub "${System}-pay-dead-letters", AlarmDescription: docs/runbooks/pay-dead-letters.md, TreatMissingData: ignore}}
`
	for name, c := range map[string]struct{ old, new, page string }{
		"good":              {"x", "x", "pay-dead-letters"},
		"queue_unheard":     {"PayDead:", "PuyDead:", "pay-dead-letters"},
		"no_page":           {"x", "x", "README"},
		"alarm_of_no_queue": {"PayDeadLetters:", "PayLetters:", "pay-dead-letters"},
		"other_name":        {"${System}-pay-dead", "pay-dead", "pay-dead-letters"},
		"other_page":        {"runbooks/pay", "runbooks/puy", "pay-dead-letters"},
		"silent_silence":    {", TreatMissingData: ignore", "", "pay-dead-letters"},
		"unreadable":        {"Resources:", "Resources: [", "pay-dead-letters"},
	} {
		got := alarmBreaches([]text{{name, strings.Replace(alarm, c.old, c.new, 1)}}, []string{c.page})
		if (len(got) == 0) != (name == "good") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestStackRulesBite(t *testing.T) {
	const role = `
Resources:
  ARole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
      Policies:
        - PolicyName: only
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: [dynamodb:GetItem, dynamodb:PutItem], Resource: !GetAtt Table.Arn}
              - Effect: Allow
                Action: dynamodb:UpdateItem
                Resource: !GetAtt Table.Arn
                Condition: {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["FUND#*", "ENVELOPES#*"]}, "Null": {"dynamodb:LeadingKeys": "false"}}
              - {Effect: Deny, Action: dynamodb:PutItem, Resource: !GetAtt Table.Arn, Condition: {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["STAFF#*", "KIN#*", "COMPLAINT*", "LOG*", "LEAF#*", "SALT#*"]}}}
`
	const function = `
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt Identity.Outputs.ARole
      LoggingConfig: {LogGroup: !GetAtt Identity.Outputs.ALog}
      Events:
        Changes:
          Type: DynamoDB
          Properties: {BatchSize: 9, StartingPosition: LATEST, MaximumRetryAttempts: 1, MaximumRecordAgeInSeconds: 60, BisectBatchOnFunctionError: true, FunctionResponseTypes: [ReportBatchItemFailures], DestinationConfig: {OnFailure: {Type: SQS}}}
`
	const shared = `
Resources:
  Attach:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: ec2:CreateNetworkInterface, Resource: !Sub "arn:${AWS::Partition}:ec2:x:subnet/${One}"}
          - {Effect: Allow, Action: ec2:DescribeSubnets, Resource: "*"}
          - {Effect: Deny, Action: ec2:DescribeSubnets, Resource: "*", Condition: {ArnLike: {"lambda:SourceFunctionArn": x}}}
`
	const identity = "  ARole: {Value: !GetAtt ARole.Arn}\n  ALog: {Value: !Ref ALog}\n"
	for name, c := range map[string]struct{ good, old, new string }{
		"every_resource":        {role, "Resource: !GetAtt Table.Arn}", `Resource: "*"}`},
		"delete":                {role, "dynamodb:PutItem", "dynamodb:DeleteItem"},
		"scan":                  {role, "dynamodb:PutItem", "dynamodb:Scan"},
		"all_of_dynamodb":       {role, "dynamodb:PutItem", `"dynamodb:*"`},
		"updates_anything":      {role, `["FUND#*", "ENVELOPES#*"]`, `["*"]`},
		"absent_key_passes":     {role, `, "Null": {"dynamodb:LeadingKeys": "false"}`, ""},
		"staff_by_a_function":   {role, `"STAFF#*", `, ""},
		"complaints_by_others":  {role, `"COMPLAINT*", `, ""},
		"log_by_a_function":     {role, `"LOG*", `, ""},
		"funds_by_anybody":      {role, "Action: dynamodb:UpdateItem", "Action: dynamodb:GetItem"},
		"denial_that_is_none":   {role, "Effect: Deny", "Effect: Allow"},
		"literal_arn":           {role, "!GetAtt Table.Arn}", "arn:aws:dynamodb:x}"},
		"literal_host":          {role, "PolicyName: only", "PolicyName: https://x.amazonaws.com/"},
		"role_of_another":       {function, "Identity.Outputs.ARole", "Identity.Outputs.BRole"},
		"no_log_group":          {function, "Outputs.ALog", "Outputs.BLog"},
		"sam_policies":          {function, "Role:", "Policies: [AmazonS3FullAccess]\n      Role:"},
		"endless_retries":       {function, "MaximumRetryAttempts: 1, ", ""},
		"whole_batch_returns":   {function, ", FunctionResponseTypes: [ReportBatchItemFailures]", ""},
		"nowhere_to_fail":       {function, ", DestinationConfig: {OnFailure: {Type: SQS}}", ""},
		"role_not_handed_out":   {function, "  A:\n", "  B:\n"},
		"shared_by_all":         {shared, "ec2:CreateNetworkInterface", "dynamodb:PutItem"},
		"interfaces_anywhere":   {shared, `!Sub "arn:${AWS::Partition}:ec2:x:subnet/${One}"`, `"*"`},
		"code_may_attach":       {shared, "Effect: Deny", "Effect: Allow"},
		"shared_unreadable":     {shared, "PolicyDocument:", "Document:"},
		"not_a_template_at_all": {function, "Resources:", "Resources: ["},
	} {
		if got := stackBreaches(text{name, c.good}, identity); len(got) != 0 {
			t.Fatalf("%s: the good one is refused: %v", name, got)
		}
		if !strings.Contains(c.good, c.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		if len(stackBreaches(text{name, strings.Replace(c.good, c.old, c.new, 1)}, identity)) == 0 {
			t.Errorf("%s: nothing noticed", name)
		}
	}
}

// AWS takes 20 kB of policy from one function, and every event of the API is a
// statement of it: one too many, and the whole deploy is refused.
func TestPoliciesOfTheApiFit(t *testing.T) {
	body, err := os.ReadFile("test/stack/testdata/expanded.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				FunctionName struct {
					Ref string `yaml:"Ref"`
				} `yaml:"FunctionName"`
				SourceArn struct {
					Sub []yaml.Node `yaml:"Fn::Sub"`
				} `yaml:"SourceArn"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	// What else a statement says, with the longest region, and names of 24 characters.
	const around = 24 + 13 + len(`{"Sid":"--","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-northwest-1:123456789012:function:-:live","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws-cn:execute-api:cn-northwest-1:123456789012:abcdefghij/*/"}}},`) + 24
	sizes := map[string]int{}
	for id, r := range doc.Resources {
		if r.Type == "AWS::Lambda::Permission" && len(r.Properties.SourceArn.Sub) > 0 {
			_, route, _ := strings.Cut(r.Properties.SourceArn.Sub[0].Value, "${__Stage__}/")
			sizes[r.Properties.FunctionName.Ref] += around + len(id) + len(route)
		}
	}
	if len(sizes) < 5 {
		t.Fatalf("%d functions of the API were found", len(sizes))
	}
	for function, size := range sizes {
		if size > 20_000 {
			t.Errorf("%s: its policy has about %d bytes, and AWS takes 20,480: shorten the names of its events, or split it", function, size)
		}
		t.Logf("%s: %d bytes of policy", function, size)
	}
}
