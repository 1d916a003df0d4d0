/* What a filter (`extern` of the policy) sees of a request, or of a tcp connection that is being opened. A part of the contract
 * with whoever writes filters: fields are added behind the last one, and none changes. */
#ifndef HEDDLE_REQUEST_H
#define HEDDLE_REQUEST_H

enum heddle_protocol {
  HEDDLE_TCP = 0,  /* there is no head: method, host and path are empty */
  HEDDLE_HTTP = 1,
};

enum heddle_text_size {
  HEDDLE_METHOD_MAX = 32,
  HEDDLE_HOST_MAX = 256,
  HEDDLE_PATH_MAX = 512,
};

/* Addresses are 16 bytes, IPv4 in its v4-mapped form; ports are in the byte order of the machine. Of a text that is longer than
 * there is room the beginning is here, and its length is the whole one; what lies behind a shorter one is zero. */
struct heddle_request {
  unsigned char source[16];         /* of the client; zero unless `has_source` */
  unsigned char destination[16];    /* that the client dialled */
  unsigned long long cgroup;        /* id of the cgroup that made the caller a workload's; 0: it is none of this node */
  unsigned short source_port;
  unsigned short destination_port;
  unsigned char protocol;           /* enum heddle_protocol */
  unsigned char has_source;         /* 0: a connection is decided before its client has an address */
  unsigned char has_caller;         /* 1: it is known who calls */
  unsigned char reserved;
  unsigned int method_length;
  unsigned int host_length;
  unsigned int path_length;         /* without the query */
  unsigned int reserved2;
  char method[HEDDLE_METHOD_MAX];
  char host[HEDDLE_HOST_MAX];       /* as the client spells it, without a port */
  char path[HEDDLE_PATH_MAX];       /* in the form that rules see */
};

#endif
