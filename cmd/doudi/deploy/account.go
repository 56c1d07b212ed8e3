package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/doudi-aid/doudi"
)

// roomForCallers is how many invocations people at phones and desks may need at
// once, beside the queues; it is small because each is short.
const roomForCallers = 20

// CheckAccount finds what is wrong with the account, by reading it through the
// AWS CLI. It makes nothing.
func CheckAccount(ctx context.Context, run Runner, r Region, t *doudi.Template) []Problem {
	var f found
	ask := func(into any, args ...string) error {
		raw, err := run.Output(ctx, awsCommand(r, args...))
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, into)
	}
	var who struct{ Account, Arn string }
	if err := ask(&who, "sts", "get-caller-identity"); err != nil {
		f.say("credentials", "the AWS CLI cannot say who calls: "+err.Error(), "Sign in: aws configure, or set AWS_PROFILE or profile in the file of the region.")
		return f // nothing below could be answered
	}
	if partition, _, _ := strings.Cut(strings.TrimPrefix(who.Arn, "arn:"), ":"); partition != r.Partition {
		f.say("credentials", fmt.Sprintf("are of partition %s, the region is in %s", partition, r.Partition), "Sign in to the other; accounts of China and of elsewhere have nothing in common.")
	}
	if who.Account != r.Account {
		f.say("credentials", "are of account "+who.Account+", the file says "+r.Account, "Sign in to the right one.")
	}
	var limits struct {
		AccountLimit struct{ ConcurrentExecutions, UnreservedConcurrentExecutions int }
	}
	need := roomForCallers
	for _, one := range t.Functions {
		need += one.Parallel + one.Changes.Parallel
	}
	if err := ask(&limits, "lambda", "get-account-settings"); err != nil {
		f.say("concurrency", "cannot be read: "+err.Error(), "Allow lambda:GetAccountSettings.")
	} else if have := limits.AccountLimit.UnreservedConcurrentExecutions; have < need {
		f.say("concurrency", fmt.Sprintf("the account has room for %d invocations at once, this stack needs %d", have, need), "Ask AWS to raise Lambda concurrent executions.")
	}
	f.artifacts(ask, r)
	var stacks struct {
		Stacks []struct{ StackStatus string }
	}
	// A stack that is not there yet is an error of the CLI, and no problem.
	if err := ask(&stacks, "cloudformation", "describe-stacks", "--stack-name", r.Stack); err == nil && len(stacks.Stacks) == 1 {
		switch s := stacks.Stacks[0].StackStatus; {
		case s == "ROLLBACK_COMPLETE":
			f.say("stack", "its first deploy failed and it cannot be updated", "Delete it: aws cloudformation delete-stack --stack-name "+r.Stack+"; what it kept stays.")
		case strings.HasSuffix(s, "_FAILED"), strings.HasSuffix(s, "_IN_PROGRESS"):
			f.say("stack", "is "+s, "Wait until it is done, or continue the rollback.")
		}
	}
	return f
}

// artifacts: whoever can write to the bucket of the zips runs the payments.
func (f *found) artifacts(ask func(any, ...string) error, r Region) {
	var block struct {
		PublicAccessBlockConfiguration struct{ BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets bool }
	}
	if err := ask(&block, "s3api", "get-public-access-block", "--bucket", r.Artifacts, "--expected-bucket-owner", r.Account); err != nil {
		f.say("artifacts", "bucket "+r.Artifacts+" is not there, is not yours, or is not closed to the public: "+err.Error(),
			"aws s3 mb s3://"+r.Artifacts+", then aws s3api put-public-access-block with all four set.")
		return
	}
	if b := block.PublicAccessBlockConfiguration; !b.BlockPublicAcls || !b.BlockPublicPolicy || !b.IgnorePublicAcls || !b.RestrictPublicBuckets {
		f.say("artifacts", "bucket "+r.Artifacts+" may be public", "aws s3api put-public-access-block --bucket "+r.Artifacts+" with all four set.")
	}
}
