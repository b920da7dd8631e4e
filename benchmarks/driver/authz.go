package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// The requests are encoded already, and of the answers only what they say is read.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *(v.(*[]byte)) = bytes.Clone(data); return nil }
func (raw) Name() string                       { return "proto" }

const check = "/envoy.service.auth.v3.Authorization/Check"

// What stands in a path where each request has a number of its own.
var number = []byte("000000000")

// authorize asks a proxy's questions: at so many a second, whatever becomes of the earlier ones, or
// without a rate as fast as the workers get answers. Extra has the share that was refused.
func authorize(ctx context.Context, o options) (result, error) {
	requests, err := load(o.requests)
	if err != nil {
		return result{}, err
	}
	var clients []*grpc.ClientConn
	for range 2 {
		conn, err := dialWorkload(o)
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
		clients = append(clients, conn)
	}
	latencies := make([]float64, o.count)
	var denied, failed atomic.Int64
	ask := func(i int, began time.Time) {
		var answer []byte
		err := clients[i%len(clients)].Invoke(ctx, check, numbered(requests[i%len(requests)], i), &answer, grpc.ForceCodec(raw{}))
		latencies[i] = milliseconds(began)
		if err != nil {
			failed.Add(1)
		} else if isDenied(answer) {
			denied.Add(1)
		}
	}
	ask(0, time.Now())
	denied.Store(0)
	ready()
	start := time.Now()
	var group sync.WaitGroup
	if o.rate > 0 {
		for i := range o.count {
			due := start.Add(time.Duration(i) * time.Second / time.Duration(o.rate))
			time.Sleep(time.Until(due))
			group.Go(func() { ask(i, due) })
		}
	} else {
		for w := range o.workers {
			group.Go(func() {
				for i := w; i < o.count; i += o.workers {
					ask(i, time.Now())
				}
			})
		}
	}
	group.Wait()
	if failed.Load() > 0 {
		return result{}, fmt.Errorf("%d of %d questions failed", failed.Load(), o.count)
	}
	found := summarize(latencies, time.Since(start))
	found.Extra = []float64{float64(denied.Load()) / float64(o.count)}
	return found, nil
}

// load reads requests, each after its length in four bytes.
func load(name string) ([][]byte, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(content) > 4 {
		end := 4 + binary.BigEndian.Uint32(content)
		found = append(found, content[4:end])
		content = content[end:]
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no requests", name)
	}
	return found, nil
}

func numbered(request []byte, i int) []byte {
	place := bytes.Index(request, number)
	if place < 0 {
		return request
	}
	own := bytes.Clone(request)
	copy(own[place:], fmt.Appendf(nil, "%09d", i+1))
	return own
}

// isDenied looks for a status, which is member 1, with a code that is not 0, member 1 of it.
func isDenied(answer []byte) bool {
	for len(answer) > 0 {
		field, kind, length := protowire.ConsumeField(answer)
		if length < 0 {
			return false
		}
		if field == 1 && kind == protowire.BytesType {
			_, _, n := protowire.ConsumeTag(answer)
			content, _ := protowire.ConsumeBytes(answer[n:])
			code, kind, n := protowire.ConsumeTag(content)
			if n < 0 || code != 1 || kind != protowire.VarintType {
				return false
			}
			value, _ := protowire.ConsumeVarint(content[n:])
			return value != 0
		}
		answer = answer[length:]
	}
	return false
}
