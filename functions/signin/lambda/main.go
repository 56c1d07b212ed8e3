// Signin on Lambda.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/staffline"
	"github.com/doudi-aid/doudi/shared/deployed/wechatline"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	line, err := wechatline.Open(ctx, w)
	if err != nil {
		return err
	}
	office, err := staffline.Open(ctx, w)
	if err != nil {
		return err
	}
	w.Serve(signin.Routes(signin.Deps{Table: w.Table, Box: box, Blind: blind, Sessions: w.Sessions(), WeChat: line.Client, AppID: line.AppID,
		Staff: signin.WeCom{Client: office}, Now: w.Now}))
	return nil
}
