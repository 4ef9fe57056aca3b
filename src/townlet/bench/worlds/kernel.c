// The rules of a level of Level 2's family, by hand: columns, blocks of agents that fit the first cache, OpenMP.
//
// What the level says stands before this file as macros and tables, written by kernel.py, so that a rule is unrolled
// over its meters by the preprocessor and the loops over agents are straight lines that vectorise. Operations have the
// order and the type (float, never contracted) of the PyTorch step, so that lives are the same to the last bit.

#include <stdint.h>
#include <string.h>

#define BLOCK 256
#define NUM_CELLS (WIDTH * HEIGHT)
#define NONE NUM_AFFORDANCES  // the affordance of an empty cell, whose costs and effects are zero
#define MAP_STREAM 1u
#define X_STREAM 2u
#define Y_STREAM 3u

// One entry an agent but for the tables; kernel.py has the same fields in the same order.
typedef struct {
    float *meters;                 // [NUM_METERS][num_agents]
    int32_t *x, *y, *map, *tick;
    uint32_t *episode;
    const uint32_t *key;
    const uint8_t *affordance_at;  // [NUM_MAPS * NUM_CELLS]
    const uint64_t *window_bits;   // [NUM_MAPS * NUM_CELLS]
    const int64_t *choices;        // [draws][1 << NUM_ACTIONS]: the action that a draw picks of those allowed
    float *features, *final_features;       // [num_agents][OBS_DIM]
    uint8_t *mask, *final_mask;             // [num_agents][NUM_ACTIONS]
    float *reward;
    uint8_t *terminated, *truncated;
    int64_t *actions;
    int64_t num_agents;
    int32_t threads;
} World;

// What a block of agents hands from one loop to the next.
typedef struct {
    int32_t x[BLOCK], y[BLOCK], cell[BLOCK], affordance[BLOCK], acts[BLOCK];
    float moved[BLOCK], meters[NUM_METERS][BLOCK];
} Block;

static inline uint32_t mix(uint32_t value) {  // lowbias32
    value = (value ^ (value >> 16)) * 0x7feb352du;
    value = (value ^ (value >> 15)) * 0x846ca68bu;
    return value ^ (value >> 16);
}

static inline int32_t draw_below(uint32_t hashed, int32_t limit) {
    return (int32_t)((float)(hashed >> 8) * 0x1p-24f * (float)limit);
}

static inline float at_least(float value, float low) { return value < low ? low : value; }
static inline float at_most(float value, float high) { return value > high ? high : value; }

static void begin(const World *w, int64_t agent) {
    const uint32_t hashed = mix(w->key[agent] ^ w->episode[agent]);
    w->x[agent] = draw_below(mix(hashed ^ X_STREAM), WIDTH);
    w->y[agent] = draw_below(mix(hashed ^ Y_STREAM), HEIGHT);
    w->map[agent] = draw_below(mix(hashed ^ MAP_STREAM), NUM_MAPS);
    w->tick[agent] = 0;
#define INITIAL(k, initial, move, passive, lethal) w->meters[k * w->num_agents + agent] = initial;
    EACH_METER(INITIAL)
}

// One row of features and of the mask; `meters` has one meter every `stride`.
static inline void observe(const World *w, int32_t cell, int32_t x, int32_t y, const float *meters, int64_t stride,
                           float *features, uint8_t *mask) {
    const uint64_t bits = w->window_bits[cell];
    const int affordance = w->affordance_at[cell];
    for (int i = 0; i < WINDOW_CELLS; i++) features[WINDOW_AT + i] = (float)(int32_t)((bits >> i) & 1u);
    features[POSITION_AT] = (float)x / X_SCALE;
    features[POSITION_AT + 1] = (float)y / Y_SCALE;
    for (int k = 0; k < NUM_METERS; k++) features[METERS_AT + k] = meters[k * stride];
    for (int k = 0; k <= NUM_AFFORDANCES; k++) features[UNDERFOOT_AT + k] = 0.0f;
    features[UNDERFOOT_AT + affordance] = 1.0f;
    int payable = affordance != NONE;
#define PAYABLE(k) payable &= COSTS[k][affordance] <= meters[k * stride] + EMPTY;
    EACH_COST(PAYABLE)
#define ALLOWED(index, allowed) mask[index] = (uint8_t)(allowed);
    EACH_ACTION(ALLOWED, x, y, payable)
}

static void move(const World *w, int64_t first, int n, Block *b) {
    for (int i = 0; i < n; i++) {
        const int32_t action = (int32_t)w->actions[first + i], x = w->x[first + i], y = w->y[first + i];
        const int up = (action == UP) & (y > 0), down = (action == DOWN) & (y < HEIGHT - 1);
        const int left = (action == LEFT) & (x > 0), right = (action == RIGHT) & (x < WIDTH - 1);
        b->x[i] = x + right - left;
        b->y[i] = y + down - up;
        b->moved[i] = (float)(up | down | left | right);
        b->cell[i] = w->map[first + i] * NUM_CELLS + b->y[i] * WIDTH + b->x[i];
        b->acts[i] = action == INTERACT;
    }
    for (int i = 0; i < n; i++) b->affordance[i] = w->affordance_at[b->cell[i]];
}

#define POTENTIAL_OF(k, weight, full)                            \
    {                                                            \
        const float missing = 1.0f - at_most(m[k] / full, 1.0f); \
        phi += weight * (1.0f - missing * missing);              \
    }

// Meters, ends and rewards of a block: one long loop over agents without a branch.
static void live(const World *w, int64_t first, int n, Block *b) {
    const int64_t stride = w->num_agents;
    for (int i = 0; i < n; i++) {
        float m[NUM_METERS], phi = 0.0f;
        for (int k = 0; k < NUM_METERS; k++) m[k] = w->meters[k * stride + first + i];
        EACH_POTENTIAL(POTENTIAL_OF)
        const float before = phi / POTENTIAL_WEIGHTS;
#define MOVE(k, initial, move, passive, lethal) m[k] += move * b->moved[i];
        EACH_METER(MOVE)
        int acts = b->acts[i];
#define PAYS(k) acts &= COSTS[k][b->affordance[i]] <= m[k] + EMPTY;
        EACH_COST(PAYS)
        const int affordance = acts ? b->affordance[i] : NONE;
#define PAY(k) m[k] -= COSTS[k][affordance];
        EACH_COST(PAY)
#define TAKE(k) m[k] += EFFECTS[k][affordance];
        EACH_EFFECT(TAKE)
#define PASS(k, initial, move, passive, lethal) m[k] += passive;
        EACH_METER(PASS)
        float old[NUM_METERS];
#define KEEP(k, initial, move, passive, lethal) old[k] = m[k];
        EACH_METER(KEEP)
#define DRAIN(k, missing, rate, at_full, more) m[k] -= rate * (at_full + more * (missing));
        EACH_DRAIN(DRAIN)
#define PULL(source, target, strength) m[target] -= strength * (at_least(THRESHOLD - old[source], 0.0f) / THRESHOLD);
#define GROUP(PULLS) EACH_METER(KEEP) PULLS(PULL)
        EACH_GROUP(GROUP)
        int dead = 0;
#define END(k, initial, move, passive, lethal)      \
    m[k] = at_most(at_least(m[k], 0.0f), 1.0f);     \
    b->meters[k][i] = m[k];                         \
    w->meters[k * stride + first + i] = m[k];       \
    dead |= lethal & (m[k] <= EMPTY);
        EACH_METER(END)
        phi = 0.0f;
        EACH_POTENTIAL(POTENTIAL_OF)
        const float alive = dead ? 0.0f : 1.0f, after = phi / POTENTIAL_WEIGHTS * alive;
        const float total = ALIVE * alive + DEATH * (float)dead;
        w->reward[first + i] = total + POTENTIAL_SCALE * (GAMMA * after - before);
        const int32_t tick = w->tick[first + i] + 1;
        w->tick[first + i] = tick;
        w->x[first + i] = b->x[i];
        w->y[first + i] = b->y[i];
        w->terminated[first + i] = (uint8_t)dead;
        w->truncated[first + i] = (uint8_t)(!dead & (tick >= MAX_STEPS));
    }
}

static void show(const World *w, int64_t first, int n, const Block *b) {
    for (int i = 0; i < n; i++) {
        const int64_t a = first + i;
        float *features = w->features + a * OBS_DIM, *final = w->final_features + a * OBS_DIM;
        uint8_t *mask = w->mask + a * NUM_ACTIONS, *final_mask = w->final_mask + a * NUM_ACTIONS;
        observe(w, b->cell[i], b->x[i], b->y[i], &b->meters[0][i], BLOCK, final, final_mask);
        if (w->terminated[a] | w->truncated[a]) {
            w->episode[a] += 1;
            begin(w, a);
            const int32_t cell = w->map[a] * NUM_CELLS + w->y[a] * WIDTH + w->x[a];
            observe(w, cell, w->x[a], w->y[a], w->meters + a, w->num_agents, features, mask);
        } else {
            memcpy(features, final, OBS_DIM * sizeof(float));
            memcpy(mask, final_mask, NUM_ACTIONS);
        }
    }
}

void reset(const World *w) {
#pragma omp parallel for schedule(static) num_threads(w->threads) if (w->num_agents > BLOCK)
    for (int64_t a = 0; a < w->num_agents; a++) {
        w->episode[a] = 0;
        begin(w, a);
        const int32_t cell = w->map[a] * NUM_CELLS + w->y[a] * WIDTH + w->x[a];
        observe(w, cell, w->x[a], w->y[a], w->meters + a, w->num_agents, w->features + a * OBS_DIM,
                w->mask + a * NUM_ACTIONS);
    }
}

void step(const World *w) {
    const int64_t blocks = (w->num_agents + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) num_threads(w->threads) if (blocks > 1)
    for (int64_t block = 0; block < blocks; block++) {
        Block b;
        const int64_t first = block * BLOCK, left = w->num_agents - first;
        const int n = left < BLOCK ? (int)left : BLOCK;
        move(w, first, n, &b);
        live(w, first, n, &b);
        show(w, first, n, &b);
    }
}

// Write into `actions` what each draw, the start of a row of `choices`, picks among the agent's allowed actions.
void choose(const World *w, const int32_t *draws) {
#pragma omp parallel for schedule(static) num_threads(w->threads) if (w->num_agents > BLOCK)
    for (int64_t a = 0; a < w->num_agents; a++) {
        int allowed = 0;
        for (int k = 0; k < NUM_ACTIONS; k++) allowed |= w->mask[a * NUM_ACTIONS + k] << k;
        w->actions[a] = w->choices[draws[a] + allowed];
    }
}
