package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	account   = "123456789012"
	partition = "aws-cn"
	here      = "cn-north-1:" + account
)

// places are what there is in an account of ours, by a short name; a place with
// a leading key is a partition of the table.
var places = map[string]struct{ arn, leading string }{
	"case":          {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "APP#1"},
	"fund":          {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "FUND#relief-2026#320402005000"},
	"envelopes":     {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "ENVELOPES#320402005000"},
	"staff":         {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "STAFF#1"},
	"delegation":    {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "DELEGATION#1"},
	"holding":       {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "DELEGATED#1"},
	"kin":           {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "KIN#1"},
	"brake":         {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "BRAKE#1"},
	"told":          {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "DISCLOSURE#1"},
	"posting":       {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "POSTING#320402000000#2026"},
	"reply":         {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "REPLY#1"},
	"readings":      {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "READINGS#1"},
	"log":           {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "LOG#1"},
	"marker":        {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "LEAF#1"},
	"salt":          {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "SALT#1"},
	"complaint":     {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "COMPLAINT#1"},
	"tally":         {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "COMPLAINTTALLY#320402000000#2026"},
	"payee":         {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "PAYEE#1"},
	"payment file":  {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "BATCH#1"},
	"credit":        {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "CREDIT#1"},
	"reference":     {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "REF#1"},
	"index-owner":   {"arn:aws-cn:dynamodb:" + here + ":table/doudi/index/owner", ""},
	"index-work":    {"arn:aws-cn:dynamodb:" + here + ":table/doudi/index/work", ""},
	"index-due":     {"arn:aws-cn:dynamodb:" + here + ":table/doudi/index/due", ""},
	"other-table":   {"arn:aws-cn:dynamodb:" + here + ":table/other", "APP#1"},
	"stream":        {"arn:aws-cn:dynamodb:" + here + ":table/doudi/stream/1", ""},
	"verify-queue":  {"arn:aws-cn:sqs:" + here + ":verify", ""},
	"pay-queue":     {"arn:aws-cn:sqs:" + here + ":pay", ""},
	"settle-queue":  {"arn:aws-cn:sqs:" + here + ":settle", ""},
	"notify-queue":  {"arn:aws-cn:sqs:" + here + ":notify", ""},
	"oversee-queue": {"arn:aws-cn:sqs:" + here + ":oversee", ""},
	"figures":       {"arn:aws-cn:dynamodb:" + here + ":table/doudi", "INDICATOR#2#FOLD"},
	"relay-dead":    {"arn:aws-cn:sqs:" + here + ":relay-dead", ""},
	"log-dead":      {"arn:aws-cn:sqs:" + here + ":log-dead", ""},
	"secret-log":    {"arn:aws-cn:secretsmanager:" + here + ":secret:log-aaaaaa", ""},
	"tiles":         {"arn:aws-cn:s3:::log-bucket/log/1", ""},
	"log-bucket":    {"arn:aws-cn:s3:::log-bucket", ""},
	"other-queue":   {"arn:aws-cn:sqs:" + here + ":other", ""},
	"secret-wechat": {"arn:aws-cn:secretsmanager:" + here + ":secret:wechat-aaaaaa", ""},
	"secret-staff":  {"arn:aws-cn:secretsmanager:" + here + ":secret:staff-aaaaaa", ""},
	"secret-source": {"arn:aws-cn:secretsmanager:" + here + ":secret:exchange-aaaaaa", ""},
	"secret-bank":   {"arn:aws-cn:secretsmanager:" + here + ":secret:bank-aaaaaa", ""},
	"secret-wxpay":  {"arn:aws-cn:secretsmanager:" + here + ":secret:wxpay-aaaaaa", ""},
	"secret-sms":    {"arn:aws-cn:secretsmanager:" + here + ":secret:sms-aaaaaa", ""},
	"secret-other":  {"arn:aws-cn:secretsmanager:" + here + ":secret:other-aaaaaa", ""},
	"seal-key":      {"arn:aws-cn:kms:" + here + ":key/00000000-0000-0000-0000-000000000001", ""},
	"other-key":     {"arn:aws-cn:kms:" + here + ":key/00000000-0000-0000-0000-000000000002", ""},
	"evidence":      {"arn:aws-cn:s3:::documents/document/1", ""},
	"beside":        {"arn:aws-cn:s3:::documents/else/1", ""},
	"bucket":        {"arn:aws-cn:s3:::documents", ""},
	"a-role":        {"arn:aws-cn:iam::" + account + ":role/pay", ""},
	"a-function":    {"arn:aws-cn:lambda:" + here + ":function:pay", ""},
}

// parameters are what the root stack hands to infra/identity.yaml.
var parameters = map[string]string{
	"System": "doudi", "LogDays": "180", "TableArn": "case", "StreamArn": "stream", "SealKeyArn": "seal-key", "DocumentsArn": "bucket", "LogBucketArn": "log-bucket", "LogSecret": "secret-log", "LogDeadArn": "log-dead",
	"WechatSecret": "secret-wechat", "StaffSecret": "secret-staff", "ExchangeSecret": "secret-source", "BankSecret": "secret-bank", "WxpaySecret": "secret-wxpay", "SmsSecret": "secret-sms",
	"VerifyQueueArn": "verify-queue", "PayQueueArn": "pay-queue", "SettleQueueArn": "settle-queue", "NotifyQueueArn": "notify-queue", "OverseeQueueArn": "oversee-queue", "RelayDeadArn": "relay-dead",
}

// asked is every call that is tried for every function, by the sort of place.
var asked = map[string][]string{
	"case fund envelopes staff kin delegation holding brake told posting reply readings complaint tally log marker salt payee reference figures other-table": {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:PutItem",
		"dynamodb:UpdateItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Scan", "dynamodb:DeleteTable",
		"dynamodb:UpdateTable", "dynamodb:UpdateContinuousBackups", "dynamodb:PartiQLDelete", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLSelect"},
	"index-owner index-work index-due": {"dynamodb:Query", "dynamodb:Scan"},
	"stream":                           {"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"},
	"verify-queue pay-queue settle-queue notify-queue oversee-queue relay-dead log-dead other-queue":       {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue"},
	"secret-wechat secret-staff secret-source secret-bank secret-wxpay secret-sms secret-log secret-other": {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"},
	"seal-key other-key":    {"kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:CreateGrant"},
	"evidence tiles beside": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl"},
	"bucket log-bucket":     {"s3:ListBucket", "s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutBucketPublicAccessBlock"},
	"a-role":                {"iam:PassRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "sts:AssumeRole"},
	"a-function":            {"lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"},
}

// never is what no function may do, whatever testdata says.
var never = []string{"dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:UpdateTable", "dynamodb:UpdateContinuousBackups",
	"dynamodb:PartiQL", "sqs:PurgeQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret", "kms:Encrypt",
	"kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:CreateGrant", "s3:Delete", "s3:PutObjectAcl", "s3:ListBucket", "s3:PutBucket", "iam:", "sts:", "lambda:",
	" other-", " secret-other", " beside", "dynamodb:PutItem staff", "dynamodb:PutItem kin", "dynamodb:UpdateItem case", "dynamodb:UpdateItem complaint", "dynamodb:UpdateItem staff", "dynamodb:UpdateItem payee"}

// neverOf is what one function may not do, and why somebody would try.
var neverOf = map[string][]string{
	"apply": {"secret-", "-queue", "dynamodb:UpdateItem", "s3:PutObject tiles"}, // open to everybody on the Internet: no money, no secrets
	// Open to everybody too: it may not touch a case, money, or who works here.
	"complain": {"secret-", "-queue", "dynamodb:PutItem case", "dynamodb:PutItem fund", "dynamodb:PutItem brake", "dynamodb:UpdateItem fund"},
	"signin":   {"secret-bank", "secret-wxpay", "secret-sms", "-queue", "evidence"},                                 // open to everybody too
	"notify":   {"secret-bank", "secret-wxpay", "pay-queue", "dynamodb:PutItem fund", "dynamodb:PutItem complaint"}, // knows addresses, moves nothing
	"log":      {"dynamodb:PutItem case", "dynamodb:PutItem fund", "dynamodb:PutItem payee", "dynamodb:UpdateItem", "sqs:ReceiveMessage", "secret-bank", "secret-wechat", "evidence"},
	"relay":    {"secret-", "seal-key", "dynamodb:PutItem", "sqs:ReceiveMessage"},
	"oversee":  {"secret-", "seal-key", "sqs:SendMessage", "evidence", "dynamodb:PutItem case", "dynamodb:PutItem fund", "dynamodb:PutItem brake", "dynamodb:PutItem log", "dynamodb:PutItem marker", "dynamodb:UpdateItem"}, // sees all figures, changes nothing
	"sweep":    {"secret-", "seal-key", "sqs:ReceiveMessage", "dynamodb:PutItem fund"},
	"verify":   {"secret-bank", "secret-wxpay", "pay-queue"},
	"decide":   {"secret-", "-queue"},
	"discover": {"secret-", "-queue", "dynamodb:UpdateItem", "evidence", "dynamodb:PutItem fund", "dynamodb:PutItem brake"},
	// Open to everybody: it writes what is told and nothing of a case, of money, of the log or of staff.
	"disclose":  {"secret-", "-queue", "dynamodb:UpdateItem", "dynamodb:PutItem case", "dynamodb:PutItem fund", "dynamodb:PutItem log", "dynamodb:PutItem brake", "evidence", "index-"},
	"supervise": {"secret-", "-queue", "dynamodb:UpdateItem", "evidence", "dynamodb:PutItem fund", "dynamodb:PutItem brake", "dynamodb:PutItem case"},
	"pay":       {"secret-source", "secret-wechat", "sqs:SendMessage", "evidence", "dynamodb:PutItem brake"},
	"settle":    {"secret-source", "secret-sms", "evidence", "dynamodb:PutItem brake"},
}

// onlyOf is what one function may do and no other: figures that anybody else could
// write would show what they like.
var onlyOf = map[string]string{"dynamodb:PutItem figures": "oversee"}

// mostPolicy is how many characters, without white space, the inline policies of a
// role may have together (IAM quotas). A name in an account may be longer than here.
const mostPolicy, roomForNames = 10_240, 2_000

type request struct {
	Action   string         `json:"action"`
	Resource string         `json:"resource"`
	Context  map[string]any `json:"context"`
	name     string
}

// TestRoles tries every call at every place for every function. What is allowed
// is in testdata/allowed.txt, line by line; all else must be denied.
func TestRoles(t *testing.T) {
	t.Parallel()
	var all []request
	for where, actions := range asked {
		for _, place := range strings.Fields(where) {
			for _, action := range actions {
				r := request{Action: action, Resource: places[place].arn, Context: map[string]any{}, name: action + " " + place}
				if k := places[place].leading; k != "" && !slices.Contains([]string{"dynamodb:DeleteTable", "dynamodb:UpdateTable", "dynamodb:UpdateContinuousBackups", "dynamodb:Scan"}, action) {
					r.Context["dynamodb:LeadingKeys"] = []string{k}
				}
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b request) int { return strings.Compare(a.name, b.name) })
	in, err := json.Marshal(map[string]any{"policies": policies(t), "requests": all, "partition": partition, "account": account})
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := tool(t, "node", "test/stack/simulate.mjs", filepath.Join(absolute(t), nodes))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.Bytes())
	}
	var answers map[string][]string
	if err := json.Unmarshal(raw, &answers); err != nil {
		t.Fatal(err)
	}
	var allowed []string
	for name, list := range answers {
		for i, a := range list {
			switch what := name + " " + all[i].name; {
			case a == "Allowed":
				allowed = append(allowed, what)
				for _, n := range append(slices.Clone(never), neverOf[name]...) {
					if strings.Contains(" "+all[i].name, n) {
						t.Errorf("%s is allowed, and must never be (%s)", what, n)
					}
				}
				if only := onlyOf[all[i].name]; only != "" && only != name {
					t.Errorf("%s is allowed, and is for %s alone", what, only)
				}
			case a != "ImplicitlyDenied" && a != "ExplicitlyDenied":
				t.Errorf("%s: the simulator says %s", what, a)
			}
		}
		if _, ok := neverOf[name]; !ok {
			t.Errorf("%s: say in neverOf what this function must never be able to do", name)
		}
	}
	if len(answers) != len(neverOf) {
		t.Errorf("%d roles are simulated, %d functions are known here", len(answers), len(neverOf))
	}
	for what, only := range onlyOf {
		if !slices.Contains(allowed, only+" "+what) {
			t.Errorf("%s cannot do what it alone may: %s", only, what)
		}
	}
	slices.Sort(allowed)
	got := strings.Join(allowed, "\n") + "\n"
	const golden = "testdata/allowed.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	difference(t, "roles", string(want), got)
	t.Logf("%d calls of %d functions tried, %d allowed", len(all)*len(answers), len(answers), len(allowed))
}

func absolute(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// policies are the documents of infra/identity.yaml with every name resolved.
func policies(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "infra/identity.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				Policies []struct {
					PolicyDocument yaml.Node `yaml:"PolicyDocument"`
				} `yaml:"Policies"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for id, r := range doc.Resources {
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		if len(r.Properties.Policies) != 1 {
			t.Fatalf("%s has %d policies; one is simulated", id, len(r.Properties.Policies))
		}
		policy := resolve(t, &r.Properties.Policies[0].PolicyDocument)
		if size, err := json.Marshal(policy); err != nil || len(size) > mostPolicy-roomForNames {
			t.Errorf("the policy of %s has %d characters of %d (%v)", id, len(size), mostPolicy, err)
		}
		out[strings.ToLower(strings.TrimSuffix(id, "Role"))] = policy
	}
	return out
}

// resolve is a node as JSON would have it, with !Ref, !Sub and !GetAtt done.
func resolve(t *testing.T, n *yaml.Node) any {
	t.Helper()
	value := func(name string) string {
		p, ok := parameters[name]
		if !ok {
			t.Fatalf("line %d: no value for the parameter %s", n.Line, name)
		}
		if place, ok := places[p]; ok {
			return place.arn
		}
		return p
	}
	switch {
	case n.Tag == "!Ref":
		return value(n.Value)
	case n.Tag == "!GetAtt":
		id, what, _ := strings.Cut(n.Value, ".")
		if what != "Arn" || !strings.HasSuffix(id, "Log") {
			t.Fatalf("line %d: !GetAtt %s is not known here", n.Line, n.Value)
		}
		return fmt.Sprintf("arn:%s:logs:%s:log-group:/doudi/doudi/%s:*", partition, here, strings.ToLower(strings.TrimSuffix(id, "Log")))
	case n.Tag == "!Sub":
		return os.Expand(n.Value, value)
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = resolve(t, c)
		}
		return list
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = resolve(t, n.Content[i+1])
		}
		return m
	case strings.HasPrefix(n.Tag, "!!"):
		return n.Value
	}
	t.Fatalf("line %d: %s is not known here", n.Line, n.Tag)
	return nil
}
