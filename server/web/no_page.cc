// What `/` says of a server that was built without the page.

#include "server/http/page_file.h"

namespace alignsae {

std::vector<PageFile> PageFiles() {
  return {{"/", "text/plain; charset=utf-8",
           "This server was built without its page: Node.js and npm were not "
           "there, or the page was turned off (ALIGNSAE_PAGE). Everything "
           "else answers: see server/README.md, \"The front door\".\n",
           "", false}};
}

}  // namespace alignsae
