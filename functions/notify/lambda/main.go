// Notify on Lambda: works through the queue of notices.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/notify"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/smsline"
	"github.com/doudi-aid/doudi/shared/deployed/wechatline"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/queue"
)

func main() { deployed.Main(run) }

func run(_ context.Context, w *deployed.World) error {
	wechatLine, smsLine := wechatline.In(w), smsline.In(w)
	box, err := w.Box()
	if err != nil {
		return err
	}
	w.WorkWith(secrets.Make(w, func(ctx context.Context, r *secrets.Reading) (queue.Handler, error) {
		wechat, err := wechatLine.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		text, err := smsLine.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		templates := map[notice.Kind]notify.Template{}
		for kind, t := range wechat.Templates {
			templates[notice.Kind(kind)] = notify.Template(t)
		}
		return notify.Handle(notify.Deps{Table: w.Table, Box: box, Now: w.Now, Metrics: w.Metrics, Channels: map[notice.Channel]notify.Sender{
			notice.WeChat: notify.WeChat{Client: wechat.Client, Table: w.Table, Templates: templates, Page: wechat.Page, Log: w.Log},
			notice.SMS:    notify.SMS{Client: text, Log: w.Log}}}), nil
	}).Get)
	return nil
}
