#include "plan.h"

#include <algorithm>
#include <cmath>

namespace contconv {
namespace {

// Counts that may be beyond 64 bits.
struct Counter {
  double vector;
  double vectors(double numbers) const { return std::ceil(numbers / vector); }

  // A pixel read or written, turned between planes and pixels.
  double turned(double channels) const { return 5 * vectors(channels); }
  double expand(double taps, double rank, double inner) const {
    return vectors(inner) * (taps * (1 + rank) + rank);
  }
  double contract(double taps, double rank, double inner) const {
    return vectors(inner) * (2 * taps * rank + 1);
  }
  // A tile of one vector of columns has half as much to do for what it loads.
  double product(double depth, double columns) const {
    const double wide = vectors(columns);
    return depth * (wide + 0.3 * (wide - 2 * std::floor(wide / 2)));
  }
};

constexpr double CALL = 12;  // what a pixel along x takes besides

// Input pixels that an axis reads, for all of its outputs.
double touched(const Table& t) {
  return std::min(double(t.in), double(t.out) * double(t.taps));
}

// In vectors of a plane: `block` outputs at a time.
Plan planes_plan(const Separable& s, int64_t vector) {
  const double in = double(s.in_channels), out = double(s.out_channels);
  const double rz = double(s.z.rank), ry = double(s.y.rank), rx = double(s.x.rank);
  const double tz = double(s.z.taps), ty = double(s.y.taps), tx = double(s.x.taps);
  const double blocks = std::ceil(double(s.x.out) / double(vector));
  const double depth = in * rx * ry * rz;
  // A window of more than two vectors is gathered.
  const bool near = double(vector - 1) * double(s.x.in) / double(s.x.out) + tx < 2 * vector;
  // Pixels whose channels lie together are read and written one number at a time.
  const bool apart = s.image.x == 1;
  double row = in * tz * blocks * (4 + tx * ((near ? 4 : 30) + 2 * rx) + rx);
  row += in * tz * double(s.x.in) * (apart ? 2 / double(vector) : 2);
  if (!s.is_flat()) row += blocks * in * rx * (tz * (1 + rz) + rz);
  // One row of the tile waits for its own sums.
  double last = in * rx * rz * (ty * (1 + ry) + ry) + depth * (std::max(out, 3.0) + 1) + 4 * out;
  if (!apart) last += double(vector) * 5 * std::ceil(out / double(vector));
  const double adds = double(s.x.out) * in * tz * rx * (tx + (s.is_flat() ? 0 : rz));
  const double last_adds = double(s.x.out) * depth * (ty + out);
  const double images = double(s.batch) * double(s.groups) * double(s.z.out);
  const double rows = touched(s.y), outputs = double(s.y.out);
  return {Order::planes, images * (rows * adds + outputs * last_adds),
          images * (rows * row + outputs * (20 + blocks * last))};
}

Plan depthwise_plan(const Separable& s, int64_t vector) {
  const Counter count{double(vector)};
  const double channels = double(s.groups), lanes = count.vectors(channels);
  const double ry = double(s.y.rank), rx = double(s.x.rank), width = double(s.x.out);
  const double row = double(s.x.in) * (s.image.c == 1 ? lanes : count.turned(channels)) +
                     width * (CALL + count.expand(double(s.x.taps), rx, channels));
  const double last = width * (lanes * (2 * rx * double(s.y.taps) + 1) +
                               (s.image.c == 1 ? 2 * lanes : count.turned(channels)));
  const double rows = touched(s.y), outputs = double(s.y.out), batch = double(s.batch);
  const double adds = width * channels * rx * double(s.x.taps);
  const double last_adds = width * channels * rx * ry * (double(s.y.taps) + 1);
  return {Order::depthwise, batch * (rows * adds + outputs * last_adds),
          batch * (rows * row + outputs * last)};
}

}  // namespace

bool is_depthwise(const Separable& s) {
  return s.in_channels == 1 && s.out_channels == 1 && s.is_flat();
}

Plan plan_of(const Separable& s, Order order, int64_t vector) {
  const Counter count{double(vector)};
  const double in = double(s.in_channels), out = double(s.out_channels);
  const double rz = double(s.z.rank), ry = double(s.y.rank), rx = double(s.x.rank);
  const double tz = double(s.z.taps), ty = double(s.y.taps), tx = double(s.x.taps);
  const double width = double(s.x.out);
  Separable one = s;
  one.order = order;
  const HeadShape shape = head_shape(one);
  const double mixed = double(shape.depth) * double(shape.columns);
  if (order == Order::planes) return planes_plan(s, vector);
  if (order == Order::depthwise) return depthwise_plan(s, vector);
  // Of a plane: rows that are made, each of tz input rows; then rows of outputs.
  double row = s.is_flat() ? 0 : width;
  double adds = 0, last = 0, last_adds = 0;
  const bool together = s.image.c == 1;  // channels-last
  const double read = tz * double(s.x.in) * (together ? count.vectors(in) : count.turned(in));
  switch (order) {
    case Order::expand:
      row *= count.expand(tz, rz, rx * in);
      row += tz * width * (CALL + count.expand(tx, rx, in));
      last = count.expand(ty, ry, rz * rx * in) + count.product(double(shape.depth), out);
      adds = width * tz * in * rx * (tx + rz);
      last_adds = ty * ry * rz * rx * in + mixed;
      break;
    case Order::contract:
      row *= count.contract(tz, rz, ry * out);
      row += tz * width * (CALL + count.contract(tx, rx, rz * ry * out));
      row += tz * double(s.x.in) * count.product(in, double(shape.columns));
      last = count.contract(ty, ry, out);
      adds = tz * double(s.x.in) * mixed + width * tz * rz * ry * out * (tx * rx + 1);
      last_adds = ty * ry * out;
      break;
    default:
      row *= count.expand(tz, rz, rx * in);
      row += tz * width * (CALL + count.expand(tx, rx, in));
      row += width * count.product(double(shape.depth), double(shape.columns));
      last = count.contract(ty, ry, out);
      adds = width * (tz * in * rx * (tx + rz) + mixed);
      last_adds = ty * ry * out;
  }
  const double rows = touched(s.y), outputs = double(s.y.out) * width;
  const double planes = double(s.batch) * double(s.groups) * double(s.z.out);
  return {order, planes * (rows * adds + outputs * last_adds),
          planes * (rows * (row + read) + outputs * (last + (together ? count.vectors(out) : count.turned(out))))};
}

Plan best_plan(const Separable& s, int64_t order, int64_t vector) {
  if (order >= 0) return plan_of(s, static_cast<Order>(order), vector);
  Plan best = plan_of(s, Order::expand, vector);
  for (const Order other : {Order::contract, Order::between, Order::planes}) {
    const Plan plan = plan_of(s, other, vector);
    if (plan.steps < best.steps) best = plan;
  }
  if (is_depthwise(s)) {
    const Plan plan = plan_of(s, Order::depthwise, vector);
    if (plan.steps < best.steps) best = plan;
  }
  return best;
}

}  // namespace contconv
