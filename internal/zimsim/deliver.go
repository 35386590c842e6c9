package zimsim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// outcome is what was decided about a call.
type outcome struct {
	answer  answer
	status  int
	fault   Fault // Kind "" if the answer goes out as it is
	latency time.Duration
}

// visible returns the code and the HTTP status that reach the caller.
func (o *outcome) visible() (code, status int) {
	switch o.fault.Kind {
	case FaultHang, FaultCutBefore, FaultCutAfter:
		return NoCode, 0
	case FaultHTML, FaultHuge, FaultTruncated:
		return NoCode, http.StatusOK
	case FaultHTTPStatus:
		return NoCode, o.fault.HTTPStatus
	case FaultRedirect:
		return NoCode, o.redirectStatus()
	case FaultCode, FaultLatency, FaultRefuseKey:
	}
	return o.answer.Code, o.status
}

func (o *outcome) redirectStatus() int {
	if o.fault.HTTPStatus != 0 {
		return o.fault.HTTPStatus
	}
	return http.StatusFound
}

// errorPage is what proxies and load balancers say.
const errorPage = "<html><head><title>Error</title></head><body><h1>Error</h1><hr>zimsim</body></html>\n"

// deliver sends the answer, or does to the connection what the fault says. It runs without the lock.
func (s *Simulator) deliver(w http.ResponseWriter, r *http.Request, out outcome) {
	sleep(r.Context(), out.latency)
	switch out.fault.Kind {
	case FaultHang:
		hang(r.Context(), out.fault.Duration)
		cut()
	case FaultCutBefore, FaultCutAfter:
		cut()
	case FaultHTML:
		writePage(w, http.StatusOK, errorPage)
	case FaultHTTPStatus:
		page := errorPage
		if out.fault.EmptyBody {
			page = ""
		}
		writePage(w, out.fault.HTTPStatus, page)
	case FaultRedirect:
		w.Header().Set("Location", out.location())
		w.WriteHeader(out.redirectStatus())
	case FaultHuge:
		writeHuge(r.Context(), w, out.fault.Size)
	case FaultTruncated:
		body := encode(out.answer)
		writeJSON(w, out.status, body[:len(body)/2])
	case FaultLatency:
		sleep(r.Context(), out.fault.Duration)
		writeJSON(w, out.status, encode(out.answer))
	case "", FaultCode, FaultRefuseKey:
		writeJSON(w, out.status, encode(out.answer))
	}
}

// location is where a redirect points; never at the address that was called, whose query carries the signature.
func (o *outcome) location() string {
	if o.fault.Location != "" {
		return o.fault.Location
	}
	return "/moved"
}

// cut ends the connection without an answer.
func cut() { panic(http.ErrAbortHandler) }

// sleep waits, and cuts the connection of a caller that has gone meanwhile: returning would answer an empty 200.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		cut()
	}
}

// hang waits until the caller goes away, or for a time if one is given.
func hang(ctx context.Context, d time.Duration) {
	if d > 0 {
		sleep(ctx, d)
		return
	}
	<-ctx.Done()
}

// encode writes JSON as people read it: ids are full of & and <, which the default escapes for the sake of HTML.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // The simulator's own types, which can all be written.
	}
	return out.Bytes()
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func writePage(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, page)
}

const defaultHugeSize = 100 << 20

// writeHuge writes a JSON answer of the given size that a caller without a bound would read to its end.
func writeHuge(ctx context.Context, w http.ResponseWriter, size int64) {
	const head, tail = `{"Code":0,"RequestId":"1","Message":"`, `"}`
	if size == 0 {
		size = defaultHugeSize
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, head)
	filler := strings.Repeat("a", 64<<10)
	for left := size - int64(len(head)+len(tail)); size < 0 || left > 0; left -= int64(len(filler)) {
		if size > 0 {
			filler = filler[:min(int64(len(filler)), left)]
		}
		if _, err := io.WriteString(w, filler); err != nil || ctx.Err() != nil {
			cut()
		}
	}
	_, _ = io.WriteString(w, tail)
}
