// Command doudi is the operator's program. On a laptop it runs the whole system
// in one process and plays a case against it; for an operator it grows the
// tools that a deployed region needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// command is one word after "doudi".
type command struct {
	name  string
	about string
	run   func(ctx context.Context, args []string, out, errs io.Writer) error
}

func commands() []command {
	return []command{
		{"up", "start the whole system on this machine 在本机启动整个系统", up},
		{"status", "show what is owed, on its way, late, held or stopped 查看运行状况", status},
		{"report", "show figures of supervision, and draw how long people wait 查看监督指标", figures},
		{"redrive", "send dead letters again 重新投递死信", sendAgain},
		{"demo", "play one emergency case against a running system 演示一次急难救助", play},
		{"preflight", "find what is in the way of a deploy 部署前检查", preflight},
		{"deploy", "check a region, then bring its stack up 检查并部署一个地区", deployRegion},
		{"models", "inspection models: list, check, backtest 核查模型：列出、检查、回测", models},
		{"import", "put staff and funds into a deployed region 导入人员和资金", importRoster},
		{"rotate", "a new version of the key people are known by 轮换人员索引密钥", rotate},
		{"witness", "the supervision body's own check of the evidence log 监督机构见证监督日志", witness},
		{"export", "write out the evidence log with cases and ledger 导出监督日志、案件和账目", exportLog},
		{"verify-log", "check such an export, offline 离线核对导出的监督日志", verifyLog},
		{"verify-card", "check the proof on a citizen's card, offline 离线核对明白卡", verifyCard},
		{"forget", "erase the salt of one case in the evidence log 销毁一件案子在监督日志中的盐值", forget},
		{"opendata", "fetch open data and make every total again 下载开放数据并重新计算", openData},
		{"log-keys", "what an evidence log signs with 生成监督日志密钥", logKeys},
		{"mandates", "bring a spreadsheet of measures 导入督办清单", tellMandates},
		{"cost", "what a million applications cost 每百万件申请的费用", price},
	}
}

// errUsage is a command line that cannot be run as it stands.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: 0 done, 1 failed, 2 not understood.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	all := commands()
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		fmt.Fprintln(out, "doudi <command> [flags]")
		for _, c := range all {
			fmt.Fprintf(out, "  %-10s %s\n", c.name, c.about)
		}
		fmt.Fprintln(out, "doudi <command> -h shows its flags.")
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		fmt.Fprintf(errs, "doudi: no command %q; doudi help lists them\n", args[0])
		return 2
	}
	switch err := all[i].run(ctx, args[1:], out, errs); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(errs, "doudi %s: %v\n", all[i].name, err)
		return 1
	}
}

// usage turns an error of the flag package, which it has already printed, into ours.
func usage(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	return errUsage
}
