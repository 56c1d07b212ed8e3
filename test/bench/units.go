package main

import "context"

func units(context.Context, options) error { return nil }
