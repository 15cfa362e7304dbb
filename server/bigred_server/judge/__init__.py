"""The immune system's judgement: looks in, verdict out. Pure; knows no other room."""
