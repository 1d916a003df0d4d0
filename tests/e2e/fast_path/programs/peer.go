// peer server PORT | peer client URL REQUESTS CONCURRENCY: net/http on both sides.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

func answer(writer http.ResponseWriter, request *http.Request) {
	words := strings.Split(request.URL.Path, "/")
	count, _ := io.Copy(io.Discard, request.Body)
	writer.Header().Set("X-Target", request.URL.Path)
	size := 0
	if len(words) > 3 {
		size, _ = strconv.Atoi(words[3])
	}
	switch words[2] {
	case "size":
		writer.Header().Set("Content-Length", words[3])
		writer.Write(pattern(size))
	case "chunked":
		writer.(http.Flusher).Flush()
		writer.Write(pattern(size))
	default:
		fmt.Fprint(writer, count)
	}
}

func serve(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	panic(http.Serve(listener, http.HandlerFunc(answer)))
}

func ask(client *http.Client, url, target string, body, wanted []byte) {
	method, reader := "GET", io.Reader(nil)
	if body != nil {
		method, reader = "POST", bytes.NewReader(body)
	}
	request, _ := http.NewRequest(method, url+target, reader)
	response, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	// io.Copy to a file or socket would take splice; a buffer is read with recv.
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || response.Header.Get("X-Target") != target || (wanted != nil && !bytes.Equal(got, wanted)) {
		panic(fmt.Sprintf("%s: %d %s %d bytes, %v", target, response.StatusCode, response.Header.Get("X-Target"), len(got), err))
	}
}

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2])
	}
	requests, _ := strconv.Atoi(os.Args[3])
	concurrency, _ := strconv.Atoi(os.Args[4])
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency, MaxConnsPerHost: concurrency}}
	small, thousand, block, large := pattern(300), pattern(1000), pattern(65536), pattern(2000000)
	var group sync.WaitGroup
	for which := 0; which < concurrency; which++ {
		group.Add(1)
		go func(which int) {
			defer group.Done()
			for i := 0; i < requests; i++ {
				name := fmt.Sprintf("go-%d-%d", which, i)
				switch {
				case i%50 == 49:
					ask(client, os.Args[2], "/v1/size/2000000/"+name, nil, large)
				case i%4 == 1:
					ask(client, os.Args[2], "/v1/echo/"+name, small, nil)
				case i%4 == 3:
					ask(client, os.Args[2], "/v2/size/65536/"+name, nil, block)
				default:
					ask(client, os.Args[2], "/v1/size/1000/"+name, nil, thousand)
				}
			}
		}(which)
	}
	group.Wait()
	fmt.Printf("{\"answers\": %d}\n", requests*concurrency)
}
