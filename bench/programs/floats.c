/* Floating point: the sun and its planets, and a system of linear equations by elimination with the largest pivot. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODIES = 5, SIZE = 200 };
typedef struct {
  double place[3], velocity[3], mass;
} Body;

static void step(Body *bodies, double time) {
  for (int i = 0; i < BODIES; i++) {
    for (int j = i + 1; j < BODIES; j++) {
      double between[3], square = 0;
      for (int axis = 0; axis < 3; axis++) {
        between[axis] = bodies[i].place[axis] - bodies[j].place[axis];
        square += between[axis] * between[axis];
      }
      double factor = time / (square * sqrt(square));
      for (int axis = 0; axis < 3; axis++) {
        bodies[i].velocity[axis] -= between[axis] * bodies[j].mass * factor;
        bodies[j].velocity[axis] += between[axis] * bodies[i].mass * factor;
      }
    }
  }
  for (int i = 0; i < BODIES; i++) {
    for (int axis = 0; axis < 3; axis++) bodies[i].place[axis] += time * bodies[i].velocity[axis];
  }
}

static double orbits(long steps) {
  Body bodies[BODIES] = {{{0, 0, 0}, {0, 0, 0}, 39.5}};
  for (int i = 1; i < BODIES; i++) {
    bodies[i] = (Body){{i * 1.5, i * 0.3, i * 0.01}, {-0.2 * i, 4.9 / sqrt(i), 0.01}, 0.01 / i};
  }
  for (long i = 0; i < steps; i++) step(bodies, 0.001);
  return bodies[1].place[0] + bodies[4].place[1];
}

static double a[SIZE][SIZE], b[SIZE];

static void eliminate(void) {
  for (int column = 0; column < SIZE; column++) {
    int pivot = column;
    for (int row = column + 1; row < SIZE; row++) {
      if (fabs(a[row][column]) > fabs(a[pivot][column])) pivot = row;
    }
    for (int k = 0; k < SIZE; k++) {
      double held = a[column][k];
      a[column][k] = a[pivot][k];
      a[pivot][k] = held;
    }
    double held = b[column];
    b[column] = b[pivot];
    b[pivot] = held;
    for (int row = column + 1; row < SIZE; row++) {
      double factor = a[row][column] / a[column][column];
      for (int k = column; k < SIZE; k++) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
}

static double equations(long rounds) {
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    unsigned random = 1325 + round;
    for (int row = 0; row < SIZE; row++) {
      for (int k = 0; k < SIZE; k++) {
        random = 1664525 * random + 1013904223; /* its period is longer than the matrix: no two rows are the same */
        a[row][k] = (random - 2147483648.0) / 1073741824.0;
      }
      b[row] = row;
    }
    eliminate();
    sum += b[SIZE - 1] / a[SIZE - 1][SIZE - 1];
  }
  return sum;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long amount = atol(argv[2]);
  if (strcmp(argv[1], "orbits") == 0) printf("%.6f\n", orbits(amount));
  else if (strcmp(argv[1], "equations") == 0) printf("%.6f\n", equations(amount));
  else return 2;
  return 0;
}
