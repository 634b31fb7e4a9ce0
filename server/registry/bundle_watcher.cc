#include "server/registry/bundle_watcher.h"

#include "absl/time/time.h"

namespace alignsae {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(1);

}  // namespace

BundleWatcher::BundleWatcher(ModelOperator* models)
    : models_(models), thread_([this] { Loop(); }) {}

void BundleWatcher::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void BundleWatcher::Loop() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kEvery);
      if (stopping_) return;
    }
    models_->ReloadChanged();
  }
}

}  // namespace alignsae
