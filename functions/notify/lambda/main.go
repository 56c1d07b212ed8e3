// Notify on Lambda: works through the queue of notices.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/notify"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/smsline"
	"github.com/doudi-aid/doudi/shared/deployed/wechatline"
	"github.com/doudi-aid/doudi/shared/notice"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	box, _, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	wechat, err := wechatline.Open(ctx, w)
	if err != nil {
		return err
	}
	text, err := smsline.Open(ctx, w)
	if err != nil {
		return err
	}
	templates := map[notice.Kind]notify.Template{}
	for kind, t := range wechat.Templates {
		templates[notice.Kind(kind)] = notify.Template(t)
	}
	w.Work(notify.Handle(notify.Deps{Table: w.Table, Box: box, Now: w.Now, Metrics: w.Metrics, Channels: map[notice.Channel]notify.Sender{
		notice.WeChat: notify.WeChat{Client: wechat.Client, Table: w.Table, Templates: templates, Page: wechat.Page, Log: w.Log},
		notice.SMS:    notify.SMS{Client: text, Log: w.Log}}}))
	return nil
}
